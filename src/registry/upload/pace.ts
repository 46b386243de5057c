const megabyte = 1024 * 1024;
/** Large enough that waiting between two does not count, small enough to be sent twice. */
export const firstPiece = 64 * megabyte;
const largestPiece = 1024 * megabyte;
/** What a break costs at most. Registries write each piece to disk before they answer: few large ones are faster. */
const pieceSeconds = 4;

/** Grows the pieces of an upload until each takes a few seconds. */
export class Pace {
  /** Bytes. */
  piece = firstPiece;

  /** A piece of so many bytes took so long, with its answer. */
  learn(bytes: number, milliseconds: number): void {
    const wanted = (bytes / Math.max(1, milliseconds)) * 1000 * pieceSeconds;
    const whole = Math.floor(wanted / firstPiece) * firstPiece;
    this.piece = Math.min(largestPiece, Math.max(firstPiece, whole));
  }
}
