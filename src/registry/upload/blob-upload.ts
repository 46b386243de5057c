import { isUserError } from "../../errors.js";
import type { Blob } from "../blob.js";
import type { RegistryClient } from "../client.js";
import { BlobReader } from "./blob-reader.js";
import { commit, OtherBytes } from "./commit.js";
import { BlobEndpoint, type Session } from "./endpoint.js";
import { Habits } from "./habits.js";
import { Patience } from "./patience.js";
import { Sender } from "./sender.js";
import { asUserError, Setback } from "./setback.js";
import { isSmall } from "./small-blob.js";
import type { ClaimedUpload } from "./uploads-folder.js";

export interface SendOptions {
  /** Without the registry: `acme/digits`. */
  repository: string;
  /** Repositories of the same registry that may have the blob. */
  mountFrom?: readonly string[];
  /** `sent` goes back when something has to be sent again. */
  onProgress?: (progress: { sent: number; total: number; detail?: string }) => void;
  signal?: AbortSignal | undefined;
}

export interface SentBlob {
  /** `sha256:<hex>` */
  digest: string;
  size: number;
  how: "sent" | "present" | "mounted";
  /** On the wire, with what was sent twice. */
  bytesSent: number;
  /** Sent by an earlier process, and not again. */
  bytesResumed: number;
}

/** Times that the sending of a blob begins from nothing. */
const mostBeginnings = 6;
const mostMounts = 3;

/** One blob on its way into one repository. */
export class BlobUpload {
  private readonly blob: Blob;
  private readonly options: SendOptions;
  private readonly claim: ClaimedUpload | undefined;
  private readonly endpoint: BlobEndpoint;
  private readonly reader: BlobReader;
  private readonly sender: Sender;
  private readonly patience: Patience;
  private session: Session | undefined;
  /** Sent in one go: then bytes that do not fit the digest are not those of a mended upload. */
  private untouched = true;
  private beginnings = 0;
  private sent = 0;
  private bytesResumed = 0;

  constructor(client: RegistryClient, blob: Blob, options: SendOptions, claim?: ClaimedUpload) {
    const { connection } = client;
    this.blob = blob;
    this.options = options;
    this.claim = claim;
    this.endpoint = new BlobEndpoint(connection, options.repository, options.signal);
    this.reader = new BlobReader(blob);
    const habits = new Habits(connection.options.env ?? process.env);
    this.sender = new Sender(blob, this.reader, this.endpoint, habits, (position) => this.progress(position));
    this.patience = new Patience(connection.options, options.signal, (detail) =>
      this.progress(this.session?.offset ?? 0, detail),
    );
  }

  async run(): Promise<SentBlob> {
    try {
      return await this.bring();
    } catch (error) {
      const { session } = this;
      this.session = undefined;
      if (session && !this.claim?.isKept) await this.endpoint.cancel(session);
      throw await asUserError(error, this.endpoint.connection, this.endpoint.name);
    } finally {
      await this.reader.close();
      await this.claim?.release();
    }
  }

  private async bring(): Promise<SentBlob> {
    const { digest } = this.blob;
    if (digest !== undefined && (await this.endpoint.has(digest))) return this.done(digest, "present");
    await this.resume();
    if (!this.session && digest !== undefined && (await this.mount(digest)))
      return this.done(digest, "mounted");
    for (;;) {
      try {
        return await this.done(await this.attempt(), "sent");
      } catch (error) {
        await this.recover(this.mendable(error));
      }
    }
  }

  private async attempt(): Promise<string> {
    this.session ??= await this.begin();
    const { session } = this;
    const atOnce = isSmall(this.blob) && this.beginnings < 2;
    if (!atOnce) await this.sender.send(session, () => this.arrived(session));
    const digest = await this.reader.digest();
    const body = atOnce ? this.sender.bodyOf(0, this.blob.size) : undefined;
    await commit(this.endpoint, session, { blob: this.blob, digest, body, patience: this.patience });
    await this.sender.remember();
    return digest;
  }

  private async begin(): Promise<Session> {
    this.beginnings++;
    this.untouched = true;
    return this.endpoint.begin();
  }

  /** Goes on with what an earlier process began. */
  private async resume(): Promise<void> {
    const state = this.claim?.state;
    if (!state || state.size !== this.blob.size) return;
    const session = {
      location: new URL(state.location),
      offset: state.offset,
      least: undefined,
      largest: undefined,
    };
    // A place that cannot be asked any more is none to go on from.
    const found = await this.status(session).catch((error: unknown) => {
      if (isUserError(error) && error.code === "interrupted") throw error;
      return undefined;
    });
    if (found && found.offset > 0 && found.offset >= state.offset && found.offset <= state.size) {
      if (await this.sender.goesOnFrom(found.offset)) {
        this.session = found;
        this.untouched = false;
        this.bytesResumed = found.offset;
        this.progress(found.offset);
        return;
      }
    }
    await this.claim?.forget();
  }

  private async mount(digest: string): Promise<boolean> {
    const others = (this.options.mountFrom ?? []).filter((name) => name !== this.options.repository);
    for (const from of others.slice(0, mostMounts)) {
      const result = await this.endpoint.mount(digest, from);
      if (result === undefined) continue;
      if (this.session) await this.endpoint.cancel(this.session);
      this.session = result === "mounted" ? undefined : result;
      if (result === "mounted") return true;
    }
    return false;
  }

  private async arrived({ location, offset }: Session): Promise<void> {
    this.patience.restore();
    await this.claim?.keep({ location: location.href, offset, size: this.blob.size });
  }

  /** The setback that an error is; throws what no repetition mends. */
  private mendable(error: unknown): Setback {
    if (error instanceof Setback) return error;
    if (error instanceof OtherBytes && !this.untouched) {
      return new Setback("the pieces do not fit together", { goOn: "anew", cause: error });
    }
    throw error;
  }

  /** Finds out how much has arrived, to go on from there, or else from the beginning. */
  private async recover(setback: Setback): Promise<void> {
    await this.patience.after(setback);
    const { session } = this;
    if (!session) return;
    const found = setback.goOn === "anew" ? undefined : await this.status(session);
    const plausible =
      found !== undefined && found.offset >= session.offset && found.offset <= this.sender.reached;
    if (plausible && (await this.sender.goesOnFrom(found.offset))) {
      this.session = found;
      this.untouched = false;
      return;
    }
    if (this.beginnings >= mostBeginnings) throw setback;
    this.session = undefined;
    await this.claim?.forget();
    await this.endpoint.cancel(session);
    this.progress(0);
  }

  private async status(session: Session): Promise<Session | undefined> {
    for (;;) {
      try {
        return await this.endpoint.status(session);
      } catch (error) {
        await this.patience.after(this.mendable(error));
      }
    }
  }

  private progress(sent: number, detail?: string): void {
    this.sent = sent;
    this.options.onProgress?.({ sent, total: this.blob.size, ...(detail !== undefined && { detail }) });
  }

  private async done(digest: string, how: SentBlob["how"]): Promise<SentBlob> {
    this.session = undefined;
    await this.claim?.forget();
    const { size } = this.blob;
    if (this.sent < size) this.progress(size);
    return { digest, size, how, bytesSent: this.sender.bytesSent, bytesResumed: this.bytesResumed };
  }
}
