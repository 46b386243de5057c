import { messageOf } from "../../errors.js";
import type { ContextFile } from "../context-file.js";
import { readContextFile } from "../context-read.js";
import { entryStat, type TreeEntry, treeEntries } from "./file-tree.js";
import { type Call, GrpcError, GrpcStatus } from "./grpc.js";
import { notExcluded, wantedPaths } from "./path-patterns.js";
import { fields, MessageWriter } from "./protobuf.js";

/** The types of a fsutil `Packet`. */
const PacketType = { stat: 0, request: 1, data: 2, fin: 3, error: 4 } as const;

/** Files read at the same time. */
const readers = 4;

/** The folders that a build can ask for: `context`, and `dockerfile` with the Dockerfile alone. */
export type Folders = Readonly<Record<string, readonly ContextFile[]>>;

/**
 * Serves `/moby.filesync.v1.FileSync/DiffCopy`: announces the wanted part of a folder and sends the files that the
 * engine then asks for. `onBytes` hears how much content went over the wire.
 */
export async function diffCopy(
  call: Call,
  folders: Folders,
  onBytes: (count: number) => void,
): Promise<void> {
  const name = metadata(call, "dir-name")[0] ?? "context";
  const files = folders[name];
  if (files === undefined) throw new GrpcError(GrpcStatus.notFound, `no access allowed to dir "${name}"`);

  const followed = wantedPaths(metadata(call, "followpaths"));
  const included = wantedPaths(metadata(call, "include-patterns"));
  const kept = notExcluded(metadata(call, "exclude-patterns"));
  const entries = treeEntries(files, (path) => followed(path) && included(path) && kept(path));
  const sender = new Sender(call, entries, onBytes);
  try {
    await sender.run();
  } catch (error) {
    await call.send(packet(PacketType.error, 0, Buffer.from(messageOf(error)))).catch(() => {});
    throw error;
  }
}

class Sender {
  private readonly call: Call;
  private readonly entries: readonly TreeEntry[];
  private readonly onBytes: (count: number) => void;
  private readonly running = new Set<Promise<void>>();
  private readonly stopped = new AbortController();

  constructor(call: Call, entries: readonly TreeEntry[], onBytes: (count: number) => void) {
    this.call = call;
    this.entries = entries;
    this.onBytes = onBytes;
  }

  /** Both directions at once: the engine asks for files while the announcements still go out. */
  async run(): Promise<void> {
    const failed = new Promise<never>((_resolve, reject) => {
      const { signal } = this.stopped;
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    // The loop over requests may wait for one that cannot come any more; the first failure ends it all.
    const fail = (error: unknown) => {
      this.stopped.abort(error);
      throw error;
    };
    await Promise.race([Promise.all([this.announce().catch(fail), this.serve().catch(fail)]), failed]);
  }

  /** One STAT for each entry, and an empty one for the end. */
  private async announce(): Promise<void> {
    for (const entry of this.entries) {
      this.stopped.signal.throwIfAborted();
      await this.call.send(new MessageWriter().message(2, await entryStat(entry)).finish());
    }
    await this.call.send(Buffer.alloc(0));
  }

  /** Answers requests until the engine says that it has everything. */
  private async serve(): Promise<void> {
    for await (const message of this.call.messages()) {
      const { type, id, text } = readPacket(message);
      if (type === PacketType.fin) {
        await Promise.all(this.running);
        await this.call.send(packet(PacketType.fin, 0));
        return;
      }
      if (type === PacketType.error) throw new GrpcError(GrpcStatus.unknown, text);
      if (type !== PacketType.request) continue;
      while (this.running.size >= readers) await Promise.race(this.running);
      this.start(id);
    }
    throw new GrpcError(GrpcStatus.unknown, "the engine ended the transfer early");
  }

  private start(id: number): void {
    const work: Promise<void> = this.sendFile(id).finally(() => this.running.delete(work));
    work.catch((error: unknown) => this.stopped.abort(error));
    this.running.add(work);
  }

  private async sendFile(id: number): Promise<void> {
    const file = this.entries[id]?.file;
    if (file === undefined) throw new GrpcError(GrpcStatus.unknown, `request for an unknown file ${id}`);
    for await (const piece of readContextFile(file)) {
      this.stopped.signal.throwIfAborted();
      await this.call.send(packet(PacketType.data, id, piece));
      this.onBytes(piece.length);
    }
    await this.call.send(packet(PacketType.data, id));
  }
}

function packet(type: number, id: number, data: Buffer = Buffer.alloc(0)): Buffer {
  return new MessageWriter().integer(1, type).integer(3, id).bytes(4, data).finish();
}

function readPacket(message: Buffer): { type: number; id: number; text: string } {
  let type = 0;
  let id = 0;
  let text = "";
  for (const field of fields(message)) {
    if (field.number === 1) type = Number(field.integer);
    else if (field.number === 3) id = Number(field.integer);
    else if (field.number === 4) text = field.bytes.toString();
  }
  return { type, id, text };
}

/** Metadata values, decoded: percent-encoded by new engines (marked so), raw UTF-8 bytes from old ones. */
function metadata(call: Call, name: string): string[] {
  const encoded = call.metadata(`${name}-encoded`)[0] === "1";
  return call
    .metadata(name)
    .map((value) =>
      encoded
        ? decodeURIComponent(value.replaceAll("+", " "))
        : Buffer.from(value, "latin1").toString("utf8"),
    );
}
