import { open } from "node:fs/promises";
import { changed, unreadable } from "./buildkit/file-tree.js";
import type { ContextFile } from "./context-file.js";

const pieceBytes = 256 * 1024;

/**
 * A context file's bytes in pieces of up to 256 KiB. A piece is valid until the next one is asked for.
 * Throws UserError `file_failed`, naming the file, when it is gone, cannot be read, or is not `size` bytes long at the
 * end, or was written to meanwhile.
 */
export async function* readContextFile(file: ContextFile): AsyncGenerator<Buffer, void, void> {
  if ("bytes" in file.source) {
    const { bytes } = file.source;
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
    return;
  }
  const handle = await open(file.source.file, "r").catch((cause: unknown) => {
    throw unreadable(file, cause);
  });
  try {
    const before = await handle.stat({ bigint: true });
    const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, file.size + 1));
    let total = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length).catch((cause: unknown) => {
        throw unreadable(file, cause);
      });
      if (bytesRead === 0) break;
      total += bytesRead;
      if (total > file.size) throw changed(file);
      yield buffer.subarray(0, bytesRead);
    }
    const after = await handle.stat({ bigint: true });
    if (total !== file.size || after.mtimeNs !== before.mtimeNs) throw changed(file);
  } finally {
    await handle.close();
  }
}
