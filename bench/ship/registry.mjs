// The registry that everybody ships to: started afresh from the same state before each first ship.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { answering, freePort, startDaemon } from "./daemon.mjs";

const manifestTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

const programs = {
  "docker-registry": {
    command: "docker-registry",
    args: ({ config }) => ["serve", config],
    version: () =>
      /v?(\d\S*)/.exec(execFileSync("docker-registry", ["--version"], { encoding: "utf8" }))?.[1],
  },
  "go-containerregistry": {
    args: ({ address, data }) => ["registry", "serve", "--address", address, "--disk", data],
    forgetsManifests: true,
  },
  null: {
    command: process.execPath,
    args: ({ port }) => [join(import.meta.dirname, "null-registry.mjs"), String(port)],
  },
};

export class Registry {
  #stop;
  #manifests = {};

  /** `kind`: docker-registry, go-containerregistry, null, or HOST:PORT of one that is there already. */
  constructor({ kind, folder, undo, crane }) {
    this.kind = kind;
    this.undo = undo;
    this.folder = folder;
    this.data = join(folder, "data");
    this.external = programs[kind] === undefined;
    if (kind === "go-containerregistry") {
      if (!crane)
        throw new Error("go-containerregistry's registry comes with crane, which could not be had.");
      this.program = { ...programs[kind], command: crane.command, version: () => crane.version };
    } else this.program = programs[kind];
    this.name = [kind, this.program?.version?.()].filter(Boolean).join(" ");
  }

  async start() {
    if (this.external) {
      this.address = this.kind;
      return await answering(this.address, "it is not ours");
    }
    mkdirSync(this.data, { recursive: true });
    this.port ??= await freePort();
    this.address = `127.0.0.1:${this.port}`;
    const config = join(this.folder, "config.yml");
    const lines = [
      "version: 0.1",
      "log: { level: warn, accesslog: { disabled: true } }",
      `storage: { filesystem: { rootdirectory: ${this.data} } }`,
      `http: { addr: "${this.address}" }`,
    ];
    writeFileSync(config, `${lines.join("\n")}\n`);
    const log = join(this.folder, "log");
    const { command, args } = this.program;
    const { address, port, data } = this;
    this.#stop = startDaemon({ command, args: args({ config, address, port, data }), log, undo: this.undo });
    await answering(this.address, log);
  }

  async stop() {
    await this.#stop?.();
  }

  /** What is stored now is the state that `reset` returns to. */
  async keepAs(state, repository, tags) {
    if (this.external) return;
    if (this.program.forgetsManifests)
      this.#manifests[state] = (
        await Promise.all(tags.map((tag) => this.#manifestsOf(repository, tag)))
      ).flat();
    await this.stop();
    const kept = join(this.folder, state);
    rmSync(kept, { recursive: true, force: true });
    renameSync(this.data, kept);
  }

  async reset(state) {
    if (this.external) return;
    await this.stop();
    rmSync(this.data, { recursive: true, force: true });
    const kept = join(this.folder, state ?? "nothing");
    if (existsSync(kept)) execFileSync("cp", ["-a", "--reflink=auto", kept, this.data]);
    await this.start();
    for (const { path, type, text } of this.#manifests[state] ?? [])
      await this.#fetch(path, { method: "PUT", headers: { "Content-Type": type }, body: text });
  }

  /** Those that an index names come first. */
  async #manifestsOf(repository, name) {
    const path = `${repository}/manifests/${name}`;
    const response = await this.#fetch(path, { headers: { Accept: manifestTypes } });
    const text = await response.text();
    const parts = JSON.parse(text).manifests ?? [];
    const named = await Promise.all(parts.map(({ digest }) => this.#manifestsOf(repository, digest)));
    return [...named.flat(), { path, type: response.headers.get("content-type"), text }];
  }

  async #fetch(path, options) {
    const response = await fetch(`http://${this.address}/v2/${path}`, options);
    if (!response.ok) throw new Error(`The registry answers ${response.status} to ${path}.`);
    return response;
  }

  /** Bytes that are stored; undefined where that cannot be seen. To ask the disk slows nobody who is measured. */
  async bytes() {
    if (this.external) return undefined;
    if (this.kind === "null") return Number(await (await fetch(`http://${this.address}/-/bytes`)).text());
    return size(this.data);
  }

  /** Sum of the layers' sizes in the image of that tag, whatever platform. Throws when there is none. */
  async layersOf(repository, tag) {
    const path = `${repository}/manifests/${tag}`;
    const response = await this.#fetch(path, { headers: { Accept: manifestTypes } });
    const manifest = await response.json();
    if (manifest.manifests) return await this.layersOf(repository, manifest.manifests[0].digest);
    return manifest.layers.reduce((sum, layer) => sum + layer.size, 0);
  }

  async hasBlob(repository, digest) {
    return (await fetch(`http://${this.address}/v2/${repository}/blobs/${digest}`, { method: "HEAD" })).ok;
  }
}

function size(path) {
  const facts = statSync(path, { throwIfNoEntry: false });
  if (!facts?.isDirectory()) return facts?.size ?? 0;
  return readdirSync(path).reduce((sum, entry) => sum + size(join(path, entry)), 0);
}
