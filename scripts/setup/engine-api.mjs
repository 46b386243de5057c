// The few engine calls that the set-up makes. `docker` is the dockerode client of the compiled src/docker.
import { createReadStream, existsSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SetupError } from "./say.mjs";
import { root } from "./state.mjs";

/** Whether an engine answers on this socket: cheap, asked while one starts. */
export function answers(host) {
  return new Promise((resolve) => {
    const request = http.get(
      { socketPath: host.slice("unix://".length), path: "/_ping", timeout: 3000 },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
  });
}

/** The client for an engine: by its address, or for the one that a user of the CLI would get. */
export async function client(host) {
  // A source tree that does not compile keeps nobody from the engine: then dockerode finds it in its own, simpler way.
  if (!existsSync(join(root, "dist/docker/client.js"))) return await plainClient(host);
  const { resolveEndpoint } = await import("../../dist/docker/endpoint.js");
  const { connect } = await import("../../dist/docker/client.js");
  return await connect(await resolveEndpoint(host ? { host } : {}));
}

async function plainClient(host) {
  const { default: Docker } = await import("dockerode");
  const docker = new Docker(host ? { socketPath: host.slice("unix://".length) } : {});
  const silence = sleep(10_000, undefined, { ref: false }).then(() =>
    Promise.reject(new Error("The engine does not answer.")),
  );
  const { Version: version } = await Promise.race([docker.version(), silence]);
  return {
    docker,
    info: { kind: "engine", version },
    endpoint: { host: host ?? "its usual place", source: "as dockerode finds it" },
  };
}

const gone = (error) => error.statusCode === 404;

export async function hasImage(docker, name) {
  try {
    await docker.getImage(name).inspect();
    return true;
  } catch (error) {
    if (gone(error)) return false;
    throw error;
  }
}

/** Reads a progress stream to its end: these answer 200 first and tell the failure in a later row. */
async function finish(what, stream) {
  let text = "";
  for await (const chunk of stream) text += chunk;
  const failed = text.split("\n").find((row) => /"(error|errorDetail)"/.test(row));
  if (failed) throw new SetupError(`${what} failed: ${failed.trim()}`);
}

export async function importImage(docker, tar, name, changes) {
  // The tag goes inside the name: Podman does not read it anywhere else.
  const stream = await docker.importImage(createReadStream(tar), { repo: name, changes });
  await finish(`The import of ${name}`, stream);
}

/** `patience` is for the first sign of life alone: a large image may take its time. */
export async function pullImage(docker, name, patience) {
  const abort = new AbortController();
  const limit = setTimeout(() => abort.abort(), patience);
  try {
    const stream = await docker.createImage({ fromImage: name, abortSignal: abort.signal });
    clearTimeout(limit);
    await finish(`The pull of ${name}`, stream);
  } finally {
    clearTimeout(limit);
  }
}

export async function removeImage(docker, name) {
  await docker
    .getImage(name)
    .remove({ force: true })
    .catch((error) => gone(error) || Promise.reject(error));
}

export async function removeContainer(docker, name) {
  await docker
    .getContainer(name)
    .remove({ force: true, v: true })
    .catch((error) => gone(error) || Promise.reject(error));
}
