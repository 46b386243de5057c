import { type FileHandle, open } from "node:fs/promises";
import { posix } from "node:path";
import { UserError } from "../../errors.js";
import { type LayoutFiles, noLayout } from "./files.js";
import { readPart } from "./read-part.js";
import { indexTar, type TarMember } from "./tar-index.js";

/** A layout in a tar: where its files begin is read once, and they are then read from there. */
export class TarFiles implements LayoutFiles {
  readonly path: string;
  private readonly file: FileHandle;
  private readonly members: ReadonlyMap<string, TarMember>;
  private readonly identity: string;

  private constructor(
    path: string,
    file: FileHandle,
    members: ReadonlyMap<string, TarMember>,
    identity: string,
  ) {
    this.path = path;
    this.file = file;
    this.members = members;
    this.identity = identity;
  }

  static async open(path: string): Promise<TarFiles> {
    const file = await open(path, "r");
    try {
      const identity = await identityOf(file);
      const members = await indexTar(file, (why) => noLayout(path, why));
      return new TarFiles(path, file, members, identity);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async size(name: string): Promise<number | undefined> {
    const member = this.members.get(name);
    return member && "size" in member ? member.size : undefined;
  }

  async *read(name: string, from = 0): AsyncGenerator<Buffer> {
    const member = this.members.get(name);
    if (!member || !("size" in member)) throw noLayout(this.path, `It lacks ${name}.`);
    if ((await identityOf(this.file)) !== this.identity) {
      throw new UserError("file_failed", `${this.path} is not what it was.`, {
        why: "It has changed since it was opened.",
        hint: "Wait until whatever writes it has finished, then start again.",
      });
    }
    yield* readPart(this.file, this.path, { start: member.start, size: member.size, from });
  }

  /** The name of the file that a name stands for: `docker save` writes a layer once and links to it. */
  linked(name: string): string {
    const member = this.members.get(name);
    if (!member || "size" in member) return name;
    return member.hard ? member.link : posix.normalize(posix.join(posix.dirname(name), member.link));
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

async function identityOf(file: FileHandle): Promise<string> {
  const { size, mtimeNs, ctimeNs } = await file.stat({ bigint: true });
  return [size, mtimeNs, ctimeNs].join(":");
}
