import type { Upload } from "./store.js";

/** How a registry treats the pieces of an upload; each of these is out there. */
export interface Manner {
  /** What becomes of a piece whose connection was cut. */
  cut: "kept" | "dropped" | "fatal";
  /** Refuses larger pieces with HTTP 416. */
  largestPiece?: number;
  /** Its answers stay with the end of the first piece, though it stores them all. */
  staleRange?: true;
  /** HTTP status of a piece that was taken. */
  taken: 201 | 202 | 204;
  /** Refuses all pieces, with this status. */
  noPieces?: 400 | 404 | 405;
  /** Refuses larger bodies with HTTP 413, as proxies do. */
  largestBody?: number;
  /** The address of an upload tells its state, as Docker's own does it. */
  signsState?: true;
  /** Said of itself in OCI-Chunk-Max-Length. */
  advertised?: number;
}

/** Said by each of these, so that pieces are as large on slow machines as on fast ones. */
const advertised = 64 * 1024 * 1024;

export const manners = {
  /** Docker's own: what was cut leaves its mark, so that the upload cannot be gone on with. */
  distribution: { cut: "fatal", taken: 202, signsState: true },
  /** The same, and it does not look like it. */
  forgetful: { cut: "fatal", taken: 202, advertised },
  /** What has come is kept and told. */
  lasting: { cut: "kept", taken: 202, advertised },
  /** A piece counts only as a whole. */
  atomic: { cut: "dropped", taken: 204, advertised },
  ghcr: { cut: "fatal", taken: 202, largestPiece: 4 * 1024 * 1024 },
  ecr: { cut: "kept", taken: 201, staleRange: true, advertised },
  google: { cut: "fatal", taken: 202, noPieces: 400 },
} satisfies Record<string, Manner>;

export type MannerName = keyof typeof manners;

/** The end of the first piece of each upload, for those who never get beyond it. */
const firstEnds = new WeakMap<Upload, number>();

export function rangeOf(upload: Upload, manner: Manner): string {
  if (upload.size > 0 && !firstEnds.has(upload)) firstEnds.set(upload, upload.size);
  const size = manner.staleRange ? (firstEnds.get(upload) ?? 0) : upload.size;
  return `0-${Math.max(0, size - 1)}`;
}
