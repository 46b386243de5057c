import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Refusal } from "./answer.js";
import type { Spool } from "./spool.js";
import { BlobWriting } from "./writing.js";

/** Engines send five or six blobs at once. */
const most = 64;

/** Blobs on their way in, by the ids that their senders were given. */
export class Uploads {
  private readonly spool: Spool;
  private readonly open = new Map<string, BlobWriting>();

  constructor(spool: Spool) {
    this.spool = spool;
  }

  async begin(): Promise<string> {
    if (this.open.size >= most) throw new Refusal(429, "TOOMANYREQUESTS", "too many uploads at once");
    const id = randomBytes(16).toString("hex");
    this.open.set(id, await BlobWriting.begin(this.spool));
    return id;
  }

  /** Adds a request's body; the upload's size after it. A body that breaks off ends the upload. */
  async append(id: string, request: IncomingMessage): Promise<number> {
    const upload = this.take(id);
    const from = /^(\d+)-/.exec(request.headers["content-range"] ?? "")?.[1];
    if (from !== undefined && Number(from) !== upload.size) {
      this.open.set(id, upload);
      throw new Refusal(416, "RANGE_INVALID", "not where the last chunk ended");
    }
    await receive(request, upload);
    this.open.set(id, upload);
    return upload.size;
  }

  /** Adds a request's body and ends the upload: the blob is in the spool, or nothing is. */
  async commit(id: string, digest: string, request: IncomingMessage): Promise<void> {
    const upload = this.take(id);
    await receive(request, upload);
    if ((await upload.finish(digest)) !== digest)
      throw new Refusal(400, "DIGEST_INVALID", "the blob has another digest");
  }

  cancel(id: string): Promise<void> {
    return this.take(id).drop();
  }

  async cancelAll(): Promise<void> {
    await Promise.all([...this.open.keys()].map((id) => this.cancel(id)));
  }

  /** It is out of the list while somebody works on it, so that it has one writer. */
  private take(id: string): BlobWriting {
    const upload = this.open.get(id);
    if (upload === undefined) throw new Refusal(404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
    this.open.delete(id);
    return upload;
  }
}

async function receive(request: IncomingMessage, upload: BlobWriting): Promise<void> {
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) await upload.write(chunk);
  } catch (error) {
    await upload.drop();
    throw error;
  }
}
