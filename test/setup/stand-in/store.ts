import { createHash, randomUUID } from "node:crypto";

export interface StoredManifest {
  mediaType: string;
  body: Buffer;
}

export interface Repository {
  blobs: Map<string, Buffer>;
  /** By digest and by tag. */
  manifests: Map<string, StoredManifest>;
  /** Bytes of uploads that came in, whatever became of them. */
  bytesReceived: number;
}

export interface Upload {
  id: string;
  repository: string;
  chunks: Buffer[];
  size: number;
}

/** What a registry holds, in memory. */
export class Store {
  readonly uploads = new Map<string, Upload>();
  private readonly repositories = new Map<string, Repository>();

  repository(name: string): Repository {
    const known = this.repositories.get(name);
    if (known) return known;
    const made: Repository = { blobs: new Map(), manifests: new Map(), bytesReceived: 0 };
    this.repositories.set(name, made);
    return made;
  }

  has(name: string): boolean {
    return this.repositories.has(name);
  }

  begin(repository: string): Upload {
    const upload: Upload = { id: randomUUID(), repository, chunks: [], size: 0 };
    this.uploads.set(upload.id, upload);
    return upload;
  }

  /** Keeps an upload as a blob, if its bytes are those of the digest. The upload is over in any case. */
  commit(upload: Upload, digest: string): boolean {
    this.uploads.delete(upload.id);
    const content = Buffer.concat(upload.chunks);
    if (sha256(content) !== digest) return false;
    this.repository(upload.repository).blobs.set(digest, content);
    return true;
  }

  /** The digests under which other bytes lie. */
  corrupt(): string[] {
    return [...this.repositories.values()].flatMap(({ blobs }) =>
      [...blobs].filter(([digest, content]) => sha256(content) !== digest).map(([digest]) => digest),
    );
  }
}

export function sha256(content: Buffer): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}
