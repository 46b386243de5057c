import type { Readable } from "node:stream";
import { pack } from "tar-stream";
import { bytesFile, treeEntries } from "./buildkit/file-tree.js";
import type { ContextFile } from "./context-file.js";
import { readContextFile } from "./context-read.js";

/** 2020-01-01T00:00:00Z, as over the BuildKit session: contents alone decide about the cache and the layers. */
const fixedTime = new Date("2020-01-01T00:00:00Z");

/** What the Dockerfile is called in the tar: a name that no project's own file has. */
export const tarDockerfile = ".modelship.Dockerfile";

/**
 * The context and its Dockerfile as a tar stream, for builders without BuildKit. Files are read as the engine takes
 * them, never held whole. A file that vanishes or changes ends the stream with UserError `file_failed`.
 */
export function contextTar(dockerfile: string, files: readonly ContextFile[]): Readable {
  const tar = pack();
  const generated = bytesFile(tarDockerfile, Buffer.from(dockerfile));
  withIgnore(files)
    .then((context) => fill(tar, [...context, generated]))
    .then(
      () => tar.finalize(),
      (error: Error) => tar.destroy(error),
    );
  return tar as unknown as Readable;
}

/** Keeps what we added ourselves out of reach of `COPY .`, as it is with BuildKit. */
async function withIgnore(files: readonly ContextFile[]): Promise<ContextFile[]> {
  const own = files.find((file) => file.path === ".dockerignore");
  const pieces: Buffer[] = [];
  if (own !== undefined) for await (const piece of readContextFile(own)) pieces.push(Buffer.from(piece));
  const added = own === undefined ? [tarDockerfile, ".dockerignore"] : ["", tarDockerfile];
  pieces.push(Buffer.from(`${added.join("\n")}\n`));
  const others = files.filter((file) => file !== own);
  return [...others, bytesFile(".dockerignore", Buffer.concat(pieces))];
}

type Pack = ReturnType<typeof pack>;

async function fill(tar: Pack, files: readonly ContextFile[]): Promise<void> {
  const owner = { uid: 0, gid: 0, mtime: fixedTime };
  const closed = new Promise<never>((_resolve, reject) => {
    tar.once("close", () => reject(new Error("the engine stopped reading the build context")));
  });
  closed.catch(() => {});
  for (const { path, file } of treeEntries(files, () => true)) {
    if (file === undefined) {
      tar.entry({ ...owner, name: `${path}/`, mode: 0o755, type: "directory" });
      continue;
    }
    const header = { ...owner, name: path, mode: file.mode, size: file.size };
    await new Promise<void>((resolve, reject) => {
      const entry = tar.entry(header, (error) => (error ? reject(error) : resolve()));
      entry.on("error", reject);
      copy(file, entry, closed).catch(reject);
    });
  }
}

async function copy(file: ContextFile, entry: NodeJS.WritableStream, closed: Promise<never>): Promise<void> {
  for await (const piece of readContextFile(file)) {
    // The piece's memory is used again for the next one, and the entry keeps what it could not pass on yet.
    if (entry.write(Buffer.from(piece))) continue;
    await Promise.race([new Promise((resolve) => entry.once("drain", resolve)), closed]);
  }
  entry.end();
}
