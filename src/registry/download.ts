import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { interrupted, isUserError, throwIfAborted, UserError } from "../errors.js";
import type { RegistryClient } from "./client.js";
import type { OpenAnswer } from "./connection.js";
import { connectionError } from "./errors.js";
import type { Descriptor } from "./manifest.js";

export interface DownloadOptions {
  repository: string;
  /** The first byte that is wanted, and the first that is not; all of the blob unless given. */
  from?: number;
  to?: number;
  /** Bytes that came, as they come; what has to be sent twice counts twice. */
  onReceived?: (bytes: number) => void;
  signal?: AbortSignal | undefined;
  /** Milliseconds before going on after a break; each further one in a row waits twice as long. */
  backoff?: number | undefined;
}

/** Breaks in a row in which less than a stride came. */
const mostBreaks = 5;
const stride = 1024 * 1024;

/**
 * The bytes of a blob, as they come, never more than asked for. A connection that breaks is taken up again where it
 * broke. Whether they are the right bytes shows `verified`.
 */
export async function* download(
  client: RegistryClient,
  blob: Descriptor,
  options: DownloadOptions,
): AsyncGenerator<Buffer> {
  const { from = 0, to = blob.size, signal, backoff = 500 } = options;
  let at = from;
  let breaks = 0;
  let before = at;
  while (at < to) {
    throwIfAborted(signal);
    try {
      for await (const chunk of openAt(client, blob, at, options)) {
        const wanted = chunk.subarray(0, Math.min(chunk.length, to - at));
        at += wanted.length;
        yield wanted;
        if (at === to) return;
      }
    } catch (error) {
      if (signal?.aborted) throw interrupted();
      if (isUserError(error) || breaks === mostBreaks) throw connectionError(error, client.registry);
    }
    if (at === to) return;
    breaks = at - before >= stride ? 1 : breaks + 1;
    if (breaks > mostBreaks) throw tooShort(client, blob, at);
    before = at;
    await sleep(backoff * 2 ** (breaks - 1), undefined, signal ? { signal } : {}).catch(() => {
      throw interrupted();
    });
  }
}

/** One answer of the registry from a byte on; where it sends all of the blob, what comes before is passed over. */
async function* openAt(
  client: RegistryClient,
  blob: Descriptor,
  at: number,
  { repository, signal, onReceived }: DownloadOptions,
): AsyncGenerator<Buffer> {
  const answer = await client.openBlob(repository, blob.digest, { from: at, signal });
  let skip = at - startOf(answer);
  try {
    if (skip < 0 || Number.isNaN(skip))
      throw unusable(client, blob, "It sends another part of it than was asked for.");
    const expected = blob.size - (at - skip);
    const length = answer.headers["content-length"];
    if (length !== undefined && Number(length) !== expected) {
      throw unusable(client, blob, `It sends ${length} bytes where ${expected} belong.`);
    }
    for await (const chunk of answer.stream as AsyncIterable<Buffer>) {
      onReceived?.(chunk.length);
      const useful = chunk.subarray(Math.min(skip, chunk.length));
      skip -= chunk.length - useful.length;
      if (useful.length > 0) yield useful;
    }
  } finally {
    answer.stream.destroy();
  }
}

/** The offset at which an answer starts. */
function startOf({ status, headers }: OpenAnswer): number {
  if (status === 200) return 0;
  return Number(/^bytes (\d+)-/.exec(headers["content-range"] ?? "")?.[1] ?? Number.NaN);
}

/** Passes bytes on and ends in UserError `registry_failed` unless they are, to the last, what a descriptor names. */
export async function* verified(
  bytes: AsyncIterable<Buffer>,
  { digest, size }: Pick<Descriptor, "digest" | "size">,
  registry: string,
): AsyncGenerator<Buffer> {
  const algorithm = digest.slice(0, digest.indexOf(":"));
  const hash = createHash(algorithm);
  let length = 0;
  for await (const chunk of bytes) {
    length += chunk.length;
    if (length > size) break;
    hash.update(chunk);
    yield chunk;
  }
  const ours = `${algorithm}:${hash.digest("hex")}`;
  if (length === size && ours === digest) return;
  throw new UserError("registry_failed", `${registry} sends something else than ${digest}.`, {
    why:
      length === size
        ? `Its digest is ${ours}.`
        : `It has ${length > size ? "more" : "fewer"} than ${size} bytes.`,
    hint: "Do not use this image; something between here and the registry, or the registry itself, changes content.",
  });
}

function tooShort(client: RegistryClient, blob: Descriptor, at: number): UserError {
  return unusable(client, blob, `It stops again and again, after ${at} of ${blob.size} bytes.`);
}

function unusable(client: RegistryClient, { digest }: Descriptor, why: string): UserError {
  return new UserError("registry_failed", `${client.registry} does not send ${digest} whole.`, {
    why,
    hint: "Try again later; if it stays so, tell the registry's administrator.",
  });
}
