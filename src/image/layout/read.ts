import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { isUserError, messageOf, UserError } from "../../errors.js";
import type { Blob } from "../../registry/blob.js";
import { type Descriptor, digestOf, type Manifest } from "../../registry/manifest.js";
import { descriptorOf, type LayoutEntry, nameAnnotation, refAnnotation } from "./descriptor.js";
import { type DockerImages, readDockerImages } from "./docker-images.js";
import {
  blobFile,
  dockerListFile,
  indexFile,
  type LayoutFiles,
  layoutFile,
  noLayout,
  readJson,
  readSmall,
} from "./files.js";
import { FolderFiles } from "./folder-files.js";
import { TarFiles } from "./tar-files.js";

/** Registries take no more, and no image has more. */
const largestManifest = 4 * 1024 * 1024;
const mostEntries = 10_000;

/** Images in a folder or a tar, and the blobs that they are made of. */
export class Layout {
  /** In the order of the layout. */
  readonly entries: readonly LayoutEntry[];
  private readonly files: LayoutFiles;
  private readonly docker: DockerImages | undefined;

  constructor(files: LayoutFiles, entries: readonly LayoutEntry[], docker?: DockerImages) {
    this.files = files;
    this.entries = entries;
    this.docker = docker;
  }

  /** A manifest or an index, checked against its digest. Throws UserError `file_failed`. */
  async manifest({ digest, mediaType, size }: Descriptor): Promise<Manifest> {
    const made = this.docker?.manifests.get(digest);
    if (made) return made;
    const body = await readSmall(this.files, blobFile(digest), largestManifest);
    if (body === undefined) throw noLayout(this.files.path, `It lacks ${digest}.`);
    if (body.length !== size || digestOf(body, digest) !== digest) {
      throw noLayout(this.files.path, `What it has as ${digest} is something else.`);
    }
    return { digest, mediaType, size, body };
  }

  /** Whether a blob is there, in its full size. Its bytes are not looked at. */
  async has({ digest, size }: Pick<Descriptor, "digest" | "size">): Promise<boolean> {
    return (await this.files.size(this.fileOf(digest))) === size;
  }

  /**
   * A configuration or a layer. Its bytes are read from their place, and whoever takes them in checks them against the
   * digest, as registries do; one that is not there, or in another size, ends in UserError `file_failed`.
   */
  blob({ digest, mediaType, size }: Descriptor, title = digest): Blob {
    const { files } = this;
    const name = this.fileOf(digest);
    async function* chunks(from: number): AsyncGenerator<Buffer> {
      if ((await files.size(name)) !== size)
        throw noLayout(files.path, `It lacks ${digest} of ${size} bytes.`);
      yield* files.read(name, from);
    }
    return {
      title,
      mediaType,
      size,
      digest,
      identity: digest,
      open: (from = 0) => Object.assign(chunks(from), { digest: Promise.resolve(digest) }),
    };
  }

  /** Lets go of the tar. */
  close(): Promise<void> {
    return this.files.close();
  }

  private fileOf(digest: string): string {
    return this.docker?.files.get(digest) ?? blobFile(digest);
  }
}

/**
 * Opens an OCI image layout, in a folder or in a tar, or a tar as `docker save` writes it. Throws UserError
 * `file_failed`.
 */
export async function openLayout(path: string): Promise<Layout> {
  const files = await openFiles(resolve(path));
  try {
    const version = await readJson(files, layoutFile, largestManifest);
    if (version !== undefined) return new Layout(files, await readEntries(files, version));
    if (!(files instanceof TarFiles)) throw noLayout(files.path, `It lacks ${layoutFile}.`);
    const list = await readJson(files, dockerListFile, largestManifest);
    if (list === undefined) throw noLayout(files.path, `It has neither ${layoutFile} nor ${dockerListFile}.`);
    const docker = await readDockerImages(files, list);
    return new Layout(files, docker.entries, docker);
  } catch (error) {
    await files.close();
    throw error;
  }
}

async function openFiles(path: string): Promise<LayoutFiles> {
  try {
    const state = await stat(path);
    if (state.isDirectory()) return new FolderFiles(path);
    if (state.isFile()) return await TarFiles.open(path);
  } catch (error) {
    if (isUserError(error)) throw error;
    throw new UserError("file_failed", `${path} cannot be read.`, { why: messageOf(error), cause: error });
  }
  throw noLayout(path, "It is neither a folder nor a file.");
}

async function readEntries(files: LayoutFiles, version: unknown): Promise<LayoutEntry[]> {
  const { imageLayoutVersion } = Object(version) as { imageLayoutVersion?: unknown };
  if (typeof imageLayoutVersion !== "string" || !imageLayoutVersion.startsWith("1.")) {
    throw noLayout(files.path, "Its version is none that is known.");
  }
  const { manifests } = Object(await readJson(files, indexFile, largestManifest)) as { manifests?: unknown };
  if (!Array.isArray(manifests) || manifests.length > mostEntries) {
    throw noLayout(files.path, `Its ${indexFile} names no images.`);
  }
  return manifests.map((value) => {
    const descriptor = descriptorOf(value);
    if (!descriptor) throw noLayout(files.path, `Its ${indexFile} has an entry that is none.`);
    const { annotations } = descriptor;
    return { name: annotations?.[nameAnnotation] ?? annotations?.[refAnnotation], descriptor };
  });
}
