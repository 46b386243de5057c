import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import pLimit from "p-limit";
import { throwIfAborted, UserError } from "../errors.js";
import { RegistryClient } from "../registry/client.js";
import { download, verified } from "../registry/download.js";
import { formatReference, parseReference } from "../registry/reference.js";
import type { Reporter } from "../reporter.js";
import { isPlaced, placeFiles } from "../weights/place.js";
import { type UnpackedFile, unpackLayer } from "../weights/unpack.js";
import { writeError } from "../weights/write-error.js";
import { Label } from "./label-names.js";
import { readImage } from "./remote/read.js";
import { type RemoteWeights, weightsOf } from "./remote/weights.js";

export interface PullOptions {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** `name@sha256:...` or `name:tag`. */
  reference: string;
  /** Folder for the model files; made where it is not there. */
  to: string;
  /** Of an image for several. */
  platform?: string | undefined;
  insecure?: boolean | undefined;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

export interface PulledFile {
  /** Below the folder. */
  path: string;
  /** Bytes. */
  size: number;
  /** `sha256:<hex>` */
  digest: string;
}

export interface PullResult {
  /** `name@sha256:...`: what the name stood for. */
  reference: string;
  digest: string;
  /** The folder, absolute. */
  to: string;
  files: readonly PulledFile[];
  /** Of layers, over the wire. */
  bytesReceived: number;
  seconds: number;
}

const layersAtOnce = 4;

/**
 * Brings an image's model files from its registry into a folder, without an engine. Each layer is verified before any
 * of its files gets its name; files that are there already, byte for byte, are not fetched again. Throws UserError.
 */
export async function pullWeights(options: PullOptions): Promise<PullResult> {
  const started = performance.now();
  const { env, insecure, signal } = options;
  const reference = parseReference(options.reference);
  const client = new RegistryClient(reference.registry, { env, insecure, signal });
  const to = resolve(options.cwd, options.to);
  try {
    const image = await readImage(client, reference, options.platform ?? ownPlatform());
    const root = modelFolder(image.config.config?.Labels?.[Label.files]);
    const weights = weightsOf(image);
    if (weights.length === 0) throw noWeights(formatReference(reference));
    await mkdir(to, { recursive: true }).catch((error: unknown) => {
      throw writeError(error, to);
    });
    const stage = await mkdtemp(join(to, ".modelship-pull-")).catch((error: unknown) => {
      throw writeError(error, to);
    });
    try {
      const pull = new Pull(client, reference.repository, { root, to, stage }, options);
      const queue = pLimit(layersAtOnce);
      const files = await Promise.all(weights.map((one, at) => queue(() => pull.layer(one, String(at)))));
      const { registry, repository } = reference;
      return {
        reference: formatReference({ registry, repository, digest: image.digest }),
        digest: image.digest,
        to,
        files: files.flat().sort((one, other) => (one.path < other.path ? -1 : 1)),
        bytesReceived: pull.bytesReceived,
        seconds: (performance.now() - started) / 1000,
      };
    } finally {
      await rm(stage, { recursive: true, force: true });
    }
  } finally {
    client.close();
  }
}

/** One image's layers on their way into one folder. */
class Pull {
  bytesReceived = 0;
  private readonly client: RegistryClient;
  private readonly repository: string;
  private readonly place: { root: string; to: string; stage: string };
  private readonly options: PullOptions;

  constructor(client: RegistryClient, repository: string, place: Pull["place"], options: PullOptions) {
    this.client = client;
    this.repository = repository;
    this.place = place;
    this.options = options;
  }

  async layer({ layer, files, count }: RemoteWeights, name: string): Promise<PulledFile[]> {
    const { report, signal } = this.options;
    const { root, to, stage } = this.place;
    throwIfAborted(signal);
    const began = performance.now();
    const id = `pull ${layer.digest}`;
    report({
      type: "task-started",
      id,
      title: files[0] && count === 1 ? files[0].path : `${count} model files`,
    });
    const ended = (outcome: "done" | "cached" | "failed") =>
      report({ type: "task-ended", id, outcome, seconds: (performance.now() - began) / 1000 });
    try {
      const there = count === files.length ? await this.alreadyThere(files) : undefined;
      if (there) {
        ended("cached");
        return there;
      }
      const folder = join(stage, name);
      await mkdir(folder);
      let received = 0;
      const bytes = download(this.client, layer, {
        repository: this.repository,
        signal,
        onReceived: (more) => {
          received += more;
          this.bytesReceived += more;
          report({ type: "task-progress", id, current: received, total: layer.size, unit: "bytes" });
        },
      });
      const chunks = verified(bytes, layer, this.client.registry);
      const unpacked = await unpackLayer(chunks, { root, stage: folder });
      await placeFiles(to, unpacked);
      ended("done");
      return unpacked.map(({ path, size, digest }: UnpackedFile) => ({ path, size, digest }));
    } catch (error) {
      ended("failed");
      throw error;
    }
  }

  private async alreadyThere(files: RemoteWeights["files"]): Promise<PulledFile[] | undefined> {
    const { root, to } = this.place;
    const found: PulledFile[] = [];
    for (const { path, size, digest } of files) {
      const inside = path.startsWith(`/${root}/`) ? path.slice(root.length + 2) : path.split("/").at(-1);
      const file = { path: inside ?? "", size, digest };
      if (!(await isPlaced(to, file))) return undefined;
      found.push(file);
    }
    return found;
  }
}

/** `app/model`, of what the label says; an image of somebody else's may say anything. */
function modelFolder(label: string | undefined): string {
  return (label ?? "").replace(/^\/+|\/+$/g, "");
}

function ownPlatform(): string {
  return `linux/${process.arch === "x64" ? "amd64" : process.arch}`;
}

function noWeights(name: string): UserError {
  return new UserError("model_files", `${name} has no layers of model files.`, {
    why: "It was not pushed by modelship, or without its model files.",
    hint: "`modelship inspect` shows what is in it.",
  });
}
