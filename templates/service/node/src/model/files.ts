/** The model's files, and what is in them. */
import { createHash } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";

const maxFiles = 1000;

export interface FileDigest {
  path: string;
  size: number;
  sha256: string;
}

/** Path, size in bytes and SHA-256 of each, sorted by path. */
export async function digests(root: string): Promise<FileDigest[]> {
  const folder = (await stat(root)).isDirectory();
  const base = folder ? root : dirname(root);
  const paths = folder ? (await readdir(root, { recursive: true })).map((path) => join(root, path)) : [root];
  const found: { path: string; status: Stats }[] = [];
  for (const path of paths.sort()) {
    const status = await stat(path);
    if (status.isFile()) found.push({ path, status });
  }
  const answer: FileDigest[] = [];
  for (const { path, status } of found.slice(0, maxFiles))
    answer.push({
      path: relative(base, path).split(sep).join("/"),
      size: status.size,
      sha256: await sha256(path),
    });
  return answer;
}

async function sha256(path: string): Promise<string> {
  const digest = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) digest.update(chunk);
  return digest.digest("hex");
}
