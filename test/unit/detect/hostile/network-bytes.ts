import { cpSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { HostileFile } from "./hostile-file.js";

export const GiB = 2 ** 30;

/** Text that would make the canary, if anything took it for Python. */
export const code = (canary: string): string => `import os; os.system('touch ${canary}')`;

/** A pickle that would make the canary when it is loaded. */
export function runsCode(canary: string): Buffer {
  const command = Buffer.from(`touch ${canary}`);
  return Buffer.concat([
    Buffer.from("\x80\x02cos\nsystem\nX", "latin1"),
    u32(command.length),
    command,
    Buffer.from("\x85R.", "latin1"),
  ]);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** Its length in eight bytes, and the text. */
export function text(value: string): Buffer {
  return Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
}

export function joined(...parts: (Buffer | string)[]): Buffer {
  return Buffer.concat(parts.map((part) => Buffer.from(part)));
}

export const nestedLists = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;
export const nestedObjects = (depth: number): string => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;

/** A file that begins with these bytes and goes on in a hole: nothing on the disk, and gigabytes to read. */
export function sparse(
  name: string,
  start: Buffer,
  size: number,
  expected?: HostileFile["expected"],
): HostileFile {
  return {
    name,
    make(folder) {
      const path = join(folder, "model");
      writeFileSync(path, start);
      truncateSync(path, size);
      return path;
    },
    ...(expected ? { expected } : {}),
  };
}

const models = fileURLToPath(new URL("../../../fixtures/models/", import.meta.url));

/** A real model's folder, in which something was changed. */
export function folder(
  name: string,
  model: string,
  change: (folder: string, canary: string) => unknown,
  expected?: HostileFile["expected"],
): HostileFile {
  return {
    name,
    make(parent, canary) {
      const path = join(parent, basename(model));
      cpSync(join(models, model), path, { recursive: true });
      change(path, canary);
      return path;
    },
    ...(expected ? { expected } : {}),
  };
}

/** A folder that holds this file alone. */
export function folderWith(
  name: string,
  file: string,
  content: (canary: string) => Buffer | string,
  expected?: HostileFile["expected"],
): HostileFile {
  return {
    name,
    make(parent, canary) {
      writeFileSync(join(parent, file), content(canary));
      return parent;
    },
    ...(expected ? { expected } : {}),
  };
}
