import pLimit from "p-limit";
import { throwIfAborted } from "../../errors.js";
import type { Blob } from "../../registry/blob.js";
import { RegistryClient } from "../../registry/client.js";
import type { Descriptor, Manifest } from "../../registry/manifest.js";
import { formatReference, type Reference } from "../../registry/reference.js";
import { type SentBlob, sendBlob } from "../../registry/upload/send-blob.js";
import type { Reporter } from "../../reporter.js";

/** Bytes of blobs, by what became of them. */
export interface Moved {
  /** On the wire, what had to be sent again too. */
  bytesSent: number;
  /** The registry had them in this repository. */
  bytesSkipped: number;
  /** Linked from another repository of the same registry. */
  bytesMounted: number;
}

export interface TargetOptions {
  env: NodeJS.ProcessEnv;
  insecure?: boolean | undefined;
  report: Reporter;
  signal?: AbortSignal | undefined;
  /** Repositories of the same registry that this push has filled already. */
  mountFrom: readonly string[];
}

/** How many blobs are on their way at once. */
const blobsAtOnce = 8;
/** Below this a blob is not worth a line of its own. */
const worthALine = 256 * 1024;

/** One place that an image is pushed to: what is sent there, and what that came to. */
export class Target {
  readonly reference: Reference;
  readonly moved: Moved = { bytesSent: 0, bytesSkipped: 0, bytesMounted: 0 };
  readonly client: RegistryClient;
  private readonly options: TargetOptions;
  private readonly queue = pLimit(blobsAtOnce);
  private readonly failed = new AbortController();
  /** Fires when the user interrupts, or when any blob of this target has failed for good. */
  readonly signal: AbortSignal;
  /** What made the others stop. */
  failure: unknown;
  private readonly sent = new Map<string, Promise<SentBlob>>();
  private readonly sizes = new Map<string, Promise<number | undefined>>();

  constructor(reference: Reference, options: TargetOptions) {
    this.reference = reference;
    this.options = options;
    const { env, insecure, signal } = options;
    this.signal = signal ? AbortSignal.any([signal, this.failed.signal]) : this.failed.signal;
    this.client = new RegistryClient(reference.registry, { env, insecure, signal: this.signal });
  }

  get name(): string {
    return formatReference(this.reference);
  }

  /** Sends a blob unless the registry has it. The same digest is sent once, whoever asks. */
  send(blob: Blob): Promise<SentBlob> {
    const key = blob.digest ?? blob.identity;
    const known = this.sent.get(key);
    if (known) return known;
    const sending = this.queue(() => this.sendNow(blob));
    this.sent.set(key, sending);
    return sending;
  }

  /** Tags of this repository, as many as its registry tells at once; none where it does not say. */
  async tags(): Promise<readonly string[]> {
    const { repository } = this.reference;
    const answer = await this.client.request({
      method: "GET",
      path: `/v2/${repository}/tags/list`,
      scopes: [`repository:${repository}:pull,push`],
      name: this.name,
    });
    if (answer.status !== 200) return [];
    try {
      const { tags } = JSON.parse(answer.body.toString("utf8")) as { tags?: unknown };
      return Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [];
    } catch {
      return [];
    }
  }

  /** The size of a blob that this repository has, or had when it was first asked for here. */
  has(digest: string): Promise<number | undefined> {
    const known = this.sizes.get(digest) ?? this.sizeOf(digest);
    this.sizes.set(digest, known);
    return known;
  }

  private async sizeOf(digest: string): Promise<number | undefined> {
    const { repository } = this.reference;
    const answer = await this.client.request({
      method: "HEAD",
      path: `/v2/${repository}/blobs/${digest}`,
      scopes: [`repository:${repository}:pull,push`],
      name: this.name,
    });
    const size = Number(answer.headers["content-length"] ?? Number.NaN);
    return answer.status === 200 && Number.isSafeInteger(size) ? size : undefined;
  }

  /** What the tag names now. */
  describe(): Promise<Descriptor | undefined> {
    return this.client.describe(this.reference);
  }

  /** Puts a manifest where only its digest names it. */
  async put({ mediaType, body, digest }: { mediaType: string; body: Buffer; digest: string }): Promise<void> {
    throwIfAborted(this.signal);
    const { repository } = this.reference;
    await this.client.putManifest({ repository, digest }, mediaType, body);
  }

  /** Puts a manifest under the tag: the last thing that a push does. */
  async tag(manifest: { mediaType: string; body: Buffer }): Promise<void> {
    throwIfAborted(this.signal);
    await this.client.putManifest(this.reference, manifest.mediaType, manifest.body);
  }

  readBack(): Promise<Manifest> {
    return this.client.manifest(this.reference);
  }

  /** Stops everything else that is on its way here. */
  fail(error: unknown): void {
    this.failure ??= error;
    this.failed.abort();
  }

  close(): void {
    this.client.close();
  }

  private async sendNow(blob: Blob): Promise<SentBlob> {
    const { report, mountFrom } = this.options;
    throwIfAborted(this.signal);
    const began = performance.now();
    const id = `push ${this.name} ${blob.identity}`;
    const shown = blob.size >= worthALine;
    const say: Reporter = (event) => shown && report(event);
    say({ type: "task-started", id, title: blob.title });
    const ended = (outcome: "done" | "cached" | "failed", detail?: string) =>
      say({
        type: "task-ended",
        id,
        outcome,
        seconds: (performance.now() - began) / 1000,
        ...(detail !== undefined && { detail }),
      });
    try {
      const sent = await sendBlob(this.client, blob, {
        repository: this.reference.repository,
        mountFrom,
        signal: this.signal,
        onProgress: ({ sent, total, detail }) =>
          say({
            type: "task-progress",
            id,
            current: sent,
            total,
            unit: "bytes",
            ...(detail !== undefined && { detail }),
          }),
      });
      this.count(sent);
      if (sent.how === "sent") ended("done");
      else ended("cached", sent.how === "mounted" ? "Mounted from another repository" : "Already there");
      return sent;
    } catch (error) {
      ended("failed");
      this.fail(error);
      throw error;
    }
  }

  private count(sent: SentBlob): void {
    this.moved.bytesSent += sent.bytesSent;
    if (sent.how === "present") this.moved.bytesSkipped += sent.size;
    if (sent.how === "mounted") this.moved.bytesMounted += sent.size;
  }
}
