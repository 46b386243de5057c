import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * A file that is broken or made to harm. One file a group of formats lists them; corpus.ts puts the lists together.
 */
export interface HostileFile {
  /** What is wrong with it. */
  name: string;
  /** Writes it into a folder of its own, and gives its path. `canary` must never come into being. */
  make(folder: string, canary: string): string;
  /** What has to come of it, where that is certain: an error, nothing found, or a model with this in its warnings. */
  expected?: "error" | "unknown" | { warning: RegExp };
}

const models = fileURLToPath(new URL("../../../fixtures/models/", import.meta.url));

/** The bytes of a real model file. */
export function fixture(path: string): Buffer {
  return readFileSync(join(models, path));
}

/** A file of these bytes. */
export function bytes(
  name: string,
  content: Buffer | string | ((canary: string) => Buffer | string),
  expected?: HostileFile["expected"],
): HostileFile {
  return {
    name,
    make(folder, canary) {
      const path = join(folder, "model");
      // Texts are bytes, one a character
      writeFileSync(path, typeof content === "function" ? content(canary) : content, "latin1");
      return path;
    },
    ...(expected ? { expected } : {}),
  };
}

/** A real file that was cut, changed in single bytes, overwritten or made longer. */
export function mutations(path: string): HostileFile[] {
  const whole = fixture(path);
  const cut = [0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99].map((part) => Math.floor(whole.length * part));
  const random = randomNumbers(whole.length);
  const flipped = (count: number): Buffer => {
    const copy = Buffer.from(whole);
    for (let index = 0; index < count; index += 1) {
      const at = Math.floor(random() * copy.length);
      copy[at] = (copy[at] ?? 0) ^ (1 << Math.floor(random() * 8));
    }
    return copy;
  };
  const overwritten = (value: number): Buffer => {
    const copy = Buffer.from(whole);
    return copy.fill(value, Math.floor(copy.length * 0.3), Math.floor(copy.length * 0.6));
  };
  return [
    ...cut.map((length) => bytes(`${path} cut after ${length} bytes`, whole.subarray(0, length))),
    bytes(`${path} without its last byte`, whole.subarray(0, -1)),
    bytes(`${path} without its first byte`, whole.subarray(1)),
    bytes(`${path} with another first byte`, Buffer.concat([Buffer.from([0xee]), whole.subarray(1)])),
    ...[1, 1, 8, 64].map((count, index) =>
      bytes(`${path} with ${count} bits changed (${index})`, flipped(count)),
    ),
    bytes(`${path} with zeros in its middle`, overwritten(0)),
    bytes(`${path} with ones in its middle`, overwritten(0xff)),
    bytes(`${path} with more at its end`, Buffer.concat([whole, Buffer.alloc(1000, 0x41)])),
    bytes(`${path} twice`, Buffer.concat([whole, whole])),
  ];
}

/** The same numbers in every run, so that a failure can be seen again. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}
