/** Bytes for a registry that can be read again from anywhere: a file, a part of one, a layer made of files. */
export interface Blob {
  /** For people: a file's name, or what the bytes are. */
  readonly title: string;
  readonly mediaType: string;
  /** Bytes; known before anything is read. */
  readonly size: number;
  /** `sha256:<hex>`, where it is known without reading. */
  readonly digest: string | undefined;
  /** The same identity means the same bytes; it changes with the files' times and sizes. */
  readonly identity: string;
  /** Reads from an offset to the end. Throws UserError `file_failed` when the bytes are not those of `identity` any more. */
  open(from?: number): BlobReading;
}

/** One reading. A chunk may be overwritten once the next one is asked for. */
export interface BlobReading extends AsyncIterable<Buffer> {
  /** Of the whole blob, whatever the offset; settles when the last chunk was read. */
  readonly digest: Promise<string>;
}
