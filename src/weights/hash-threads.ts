import type { createHash, Hash } from "node:crypto";
import { availableParallelism } from "node:os";
import { type MessagePort, Worker } from "node:worker_threads";

/** Part of the memory that a hasher shares with its thread; `last`: the digest is wanted, and a new one begins. */
export interface Stretch {
  at: number;
  length: number;
  last: boolean;
}

type Order =
  | { id: number; memory: SharedArrayBuffer }
  | { id: number; stretches: Stretch[] }
  | { id: number };

interface Answer {
  id: number;
  digests: string[];
}

/**
 * Runs in the thread. It gets there as text, so that it needs no file of its own that would have to be found from the
 * sources and from the compiled package alike: it may use nothing from around it.
 */
function hashInThread(port: MessagePort, newHash: typeof createHash): void {
  const hashers = new Map<number, { memory: Uint8Array; hash: Hash }>();
  port.on("message", (order: Order) => {
    if ("memory" in order) {
      hashers.set(order.id, { memory: new Uint8Array(order.memory), hash: newHash("sha256") });
      return;
    }
    const hasher = hashers.get(order.id);
    if (!("stretches" in order) || !hasher) {
      hashers.delete(order.id);
      return;
    }
    const digests: string[] = [];
    for (const { at, length, last } of order.stretches) {
      hasher.hash.update(hasher.memory.subarray(at, at + length));
      if (!last) continue;
      digests.push(`sha256:${hasher.hash.digest("hex")}`);
      hasher.hash = newHash("sha256");
    }
    port.postMessage({ id: order.id, digests });
  });
}

const threadText = `(${hashInThread})(require("node:worker_threads").parentPort, require("node:crypto").createHash)`;

interface Waiting {
  resolve: (digests: string[]) => void;
  reject: (error: Error) => void;
}

/** Milliseconds without a hasher after which a thread, and its memory, are given back. */
const idleTime = 200;

/** Starts with its first hasher and stays a moment for the next one; without any it keeps no process alive. */
class HashThread {
  /** Answers come in the order of the questions. */
  private readonly hashers = new Map<number, Waiting[]>();
  private worker: Worker | undefined;
  private ending: NodeJS.Timeout | undefined;
  private nextId = 0;

  get load(): number {
    return this.hashers.size;
  }

  open(memory: SharedArrayBuffer): number {
    clearTimeout(this.ending);
    this.worker ??= this.start();
    this.worker.ref();
    const id = this.nextId++;
    this.hashers.set(id, []);
    this.send({ id, memory });
    return id;
  }

  update(id: number, stretches: Stretch[]): Promise<string[]> {
    return new Promise((resolve, reject) => {
      const waiting = this.hashers.get(id);
      if (!waiting || !this.worker) return reject(new Error("the thread that hashes has ended"));
      waiting.push({ resolve, reject });
      this.send({ id, stretches });
    });
  }

  close(id: number): void {
    if (!this.hashers.delete(id)) return;
    this.send({ id });
    if (this.hashers.size > 0) return;
    this.worker?.unref();
    this.ending = setTimeout(() => this.end(), idleTime).unref();
  }

  private end(): void {
    void this.worker?.terminate();
    this.worker = undefined;
  }

  private send(order: Order): void {
    this.worker?.postMessage(order);
  }

  private start(): Worker {
    const worker = new Worker(threadText, {
      eval: true,
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    });
    worker.on("message", ({ id, digests }: Answer) => this.hashers.get(id)?.shift()?.resolve(digests));
    worker.on("error", (error) => {
      this.worker = undefined;
      for (const { reject } of [...this.hashers.values()].flat()) reject(error);
      this.hashers.clear();
    });
    return worker;
  }
}

const threads = Array.from({ length: Math.min(4, availableParallelism()) }, () => new HashThread());

/** SHA-256 of one stretch of bytes after the other, computed off the main thread in memory shared with it. */
export class Hasher {
  private readonly thread: HashThread;
  private readonly id: number;

  constructor(memory: SharedArrayBuffer) {
    this.thread = threads.reduce((one, other) => (other.load < one.load ? other : one));
    this.id = this.thread.open(memory);
  }

  /** The digests that were completed. The stretches must keep their bytes until then. */
  update(stretches: Stretch[]): Promise<string[]> {
    return this.thread.update(this.id, stretches);
  }

  close(): void {
    this.thread.close(this.id);
  }
}
