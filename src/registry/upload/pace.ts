import { forgetsCutUploads } from "./location.js";

const megabyte = 1024 * 1024;
/** Large enough that waiting between two does not count, small enough to be sent twice. */
export const firstPiece = 64 * megabyte;
const largestPiece = 1024 * megabyte;
/** What a break costs at most. Registries write each piece to disk before they answer: few large ones are faster. */
const pieceSeconds = 4;

/**
 * How much of a blob goes at once: pieces that grow until each takes a few seconds; or all of it, where pieces save nothing.
 * What breaks off may have been too long for something on the way, and is followed by smaller ones.
 */
export class Pace {
  private usual = firstPiece;
  private most = largestPiece;
  private isUnbroken = true;

  /** Bytes of the next piece to this address of the upload. */
  piece(location: URL): number {
    return this.isUnbroken && forgetsCutUploads(location) ? Infinity : this.usual;
  }

  /** A piece of so many bytes took so long, with its answer. */
  arrived(bytes: number, milliseconds: number): void {
    const wanted = (bytes / Math.max(1, milliseconds)) * 1000 * pieceSeconds;
    const whole = Math.floor(wanted / firstPiece) * firstPiece;
    this.usual = Math.min(this.most, Math.max(firstPiece, whole));
  }

  broke(bytes: number): void {
    this.isUnbroken = false;
    this.most = Math.max(firstPiece, Math.min(this.most, Math.floor(bytes / 4)));
    this.usual = Math.min(this.usual, this.most);
  }
}
