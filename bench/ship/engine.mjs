// An engine, and what it has to forget afterwards: images and build cache that the measurements left in it.
import { ensureBaseImage } from "../../scripts/setup/base-image.mjs";
import { client } from "../../scripts/setup/engine-api.mjs";
import { name as debianName } from "../../scripts/setup/engine-debian.mjs";
import { name as docker26Name, removeBridge, startDocker26 } from "../../scripts/setup/engine-docker26.mjs";
import { findEngine } from "../../scripts/setup/find-engine.mjs";
import { runningPid, stopDaemon, withLock } from "../../scripts/setup/state.mjs";

export class BenchEngine {
  #cache = new Set();
  #images = new Set();

  constructor({ id, docker, host, version, store, pid, env }) {
    Object.assign(this, { id, docker, host, pid, env });
    this.name = `docker ${version}`;
    this.title = `Docker Engine ${version} (${store} store)`;
  }

  /** What is there before anything was made stays for good. */
  async remember() {
    this.#cache = new Set((await this.#cacheRecords()).map((record) => record.ID));
    this.#images = new Set((await this.docker.listImages()).map((image) => image.Id));
  }

  /** `keep`: names of images that stay for the next measurement. */
  async forget(project, keep = []) {
    const ours = (image) =>
      image.Labels?.["dev.modelship.name"] === project ||
      image.Labels?.["modelship.bench"] === project ||
      [...(image.RepoTags ?? []), ...(image.RepoDigests ?? [])].some((name) => name.includes(project));
    for (const image of await this.docker.listImages()) {
      if (this.#images.has(image.Id) || !ours(image)) continue;
      const names = (image.RepoTags ?? []).filter((name) => name !== "<none>:<none>");
      if (names.some((name) => keep.includes(name))) {
        for (const name of names) if (!keep.includes(name)) await this.#remove(name);
      } else await this.#remove(image.Id);
    }
  }

  async #remove(name) {
    await this.docker
      .getImage(name)
      .remove({ force: true })
      .catch((error) => error.statusCode === 404 || Promise.reject(error));
  }

  /**
   * A record goes after those that stand on it, and not while it is used: what goes is tried until nothing more does.
   * BuildKit then finds less of what it kept, too: after this, the engine is seeded again.
   */
  async forgetCache() {
    for (let before = Number.POSITIVE_INFINITY; ; ) {
      const added = (await this.#cacheRecords()).filter(
        (record) => !this.#cache.has(record.ID) && !record.InUse && !record.Shared,
      );
      if (added.length === 0 || added.length >= before) return;
      before = added.length;
      for (const { ID } of added) await this.#prune(ID);
    }
  }

  /** By hand: dockerode's own call leaves its filters out, and would take everybody's cache. */
  #prune(id) {
    const request = {
      path: "/build/prune?",
      method: "POST",
      options: { all: "1", filters: JSON.stringify({ id: [id] }) },
      statusCodes: { 200: true, 500: "server error" },
    };
    return new Promise((resolve, reject) => {
      this.docker.modem.dial(request, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
  }

  async #cacheRecords() {
    return (await this.docker.df()).BuildCache ?? [];
  }
}

/** Only the machine's side: npm packages and dist/ are left as they are. */
export async function openEngine(id, undo) {
  if (!["default", "docker-26"].includes(id)) throw new Error(`No engine "${id}": default or docker-26.`);
  return await withLock(async () => {
    const host = id === "default" ? await defaultEngine() : await docker26(undo);
    const { docker, info, endpoint } = await client(host);
    const env = { ...(await ensureBaseImage(docker)), ...(host && { DOCKER_HOST: host }) };
    const pid = runningPid(id === "default" ? debianName : docker26Name);
    const { version, store } = info;
    return new BenchEngine({ id, docker, host: endpoint.host, version, store, pid, env });
  });
}

async function defaultEngine() {
  await findEngine();
  return undefined;
}

async function docker26(undo) {
  const here = runningPid(docker26Name) !== undefined;
  const host = await startDocker26();
  if (!here)
    undo.add(async () => {
      await stopDaemon(docker26Name);
      await removeBridge();
    });
  return host;
}
