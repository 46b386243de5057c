import type { IncomingMessage } from "node:http";
import { setTimeout } from "node:timers/promises";
import { interrupted, isUserError, throwIfAborted, UserError } from "../errors.js";
import type { CredentialSource } from "./auth/credential.js";
import type { BuildEvent, BuildReading, BuildRow } from "./build-events.js";
import { explainBuildFailure } from "./build-failure.js";
import { BuildKitReading } from "./buildkit/build-rows.js";
import { type BuildSecret, openSession } from "./buildkit/session.js";
import { ClassicReading } from "./classic-rows.js";
import type { Engine } from "./client.js";
import type { ContextFile } from "./context-file.js";
import { contextTar, tarDockerfile } from "./context-tar.js";
import { baseImages, hasRunMounts, registryOf } from "./dockerfile-text.js";
import { engineError, engineMessage, isConnectionLoss, statusOf } from "./errors.js";
import { inspectImage, tagImage } from "./images.js";
import { jsonLines } from "./json-lines.js";
import { podmanNetwork, secretFiles, withLabels } from "./podman-build.js";
import { isLoopback, registryConfigHeader } from "./registry-auth.js";
import { type EngineRequest, streamRequest } from "./request.js";

export interface BuildRequest {
  /** The Dockerfile's text. */
  dockerfile: string;
  files: readonly ContextFile[];
  /** Set once the build has succeeded, and only then. */
  tags: readonly string[];
  labels: Readonly<Record<string, string>>;
  buildArgs: Readonly<Record<string, string>>;
  secrets: readonly BuildSecret[];
  /** `linux/amd64`. */
  platform?: string | undefined;
  /** `host`, `none`, or a network's name, for RUN steps. */
  network?: string | undefined;
  noCache: boolean;
  /** Ask the registry for newer base images. */
  pull: boolean;
  /** Asked for the registries that base images come from, and no others. */
  credentials: CredentialSource;
  /** A stage to stop at. */
  target?: string | undefined;
  /** What an error calls a step, by the builder's name for it; the instruction itself where there is no title. */
  titleOf?: ((step: string) => string | undefined) | undefined;
}

export interface BuildOutcome {
  /** The full image id, `sha256:...`. */
  id: string;
  /** Steps of the Dockerfile. */
  steps: number;
  cachedSteps: number;
}

const doing = "building the image";

/**
 * Builds an image and tags it. Resolves only when the engine's answer came to its end without an error and the image
 * is there.
 *
 * Throws UserError: `build_failed` with the failing step and its telling lines, `pull_failed` or `denied` for a base
 * image, `disk_full`, `file_failed` for a context file that vanished or changed, `engine_unsupported`,
 * `engine_unreachable`, or `interrupted` soon after `signal` fires.
 */
export async function build(
  engine: Engine,
  request: BuildRequest,
  on: (event: BuildEvent) => void,
  signal?: AbortSignal,
): Promise<BuildOutcome> {
  throwIfAborted(signal);
  // One end for everything: the user's signal, and failures on our side of the session.
  const stop = new AbortController();
  const stopped = new Promise<never>((_resolve, reject) => {
    stop.signal.addEventListener("abort", () => reject(stop.signal.reason), { once: true });
  });
  stopped.catch(() => {});
  const abort = () => stop.abort(interruption(engine));
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const work = engine.info.buildkit
      ? withBuildKit(engine, request, on, stop)
      : classic(engine, request, on, stop);
    work.catch(() => {});
    const outcome = await Promise.race([work, stopped]);
    for (const tag of request.tags) {
      throwIfAborted(signal);
      await tagImage(engine, outcome.id, tag);
    }
    return outcome;
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : engineError(error, doing);
  } finally {
    signal?.removeEventListener("abort", abort);
    stop.abort(interrupted());
  }
}

/** Docker ends the step that runs when we go away. Podman (seen on 4.3) lets it come to its end, and then stops. */
function interruption(engine: Engine): UserError {
  if (engine.info.kind === "docker") return interrupted();
  return new UserError("interrupted", "Interrupted.", {
    why: "Podman ends the build, but only after the step that runs now.",
  });
}

const sessionAttempts = 3;

/**
 * BuildKit runs equal steps of two builds once. Where the other build was interrupted a moment ago, the step can still
 * look for that build's session; ours is there, so asking again is enough.
 */
async function withBuildKit(
  engine: Engine,
  request: BuildRequest,
  on: (event: BuildEvent) => void,
  stop: AbortController,
): Promise<BuildOutcome> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await inOneSession(engine, request, on, stop);
    } catch (error) {
      const othersSession =
        isUserError(error) && /no active sessions?\b/.test(`${error.message} ${error.why}`);
      if (!othersSession || attempt === sessionAttempts || stop.signal.aborted) throw error;
      await setTimeout(500 * attempt, undefined, { signal: stop.signal });
    }
  }
}

async function inOneSession(
  engine: Engine,
  request: BuildRequest,
  on: (event: BuildEvent) => void,
  stop: AbortController,
): Promise<BuildOutcome> {
  const sharedKey = request.tags[0]?.replace(/:[^/:]*$/, "") ?? "";
  const session = await openSession(engine.docker, { ...request, sharedKey }, (error) => stop.abort(error));
  stop.signal.addEventListener("abort", () => session.close(), { once: true });
  try {
    stop.signal.throwIfAborted();
    const query = {
      ...commonQuery(request),
      dockerfile: "Dockerfile",
      version: 2,
      session: session.id,
      // The files come through the session, so the body stays empty: with one, the engine's answer would be lost.
      remote: "client-session",
    };
    const ask = {
      method: "POST",
      path: "/build",
      query,
      file: Buffer.alloc(0),
      signal: stop.signal,
    } as const;
    return await follow(engine, ask, new BuildKitReading(on), {
      signal: stop.signal,
      titleOf: request.titleOf,
    });
  } finally {
    session.close();
  }
}

async function classic(
  engine: Engine,
  request: BuildRequest,
  on: (event: BuildEvent) => void,
  stop: AbortController,
): Promise<BuildOutcome> {
  const podman = engine.info.kind === "podman";
  if (!podman && (hasRunMounts(request.dockerfile) || request.secrets.length > 0))
    throw mountsUnsupported(engine);
  const images = baseImages(request.dockerfile, request.buildArgs);
  const registries = images.map(registryOf);
  const headers = await registryConfigHeader(registries, request.credentials);
  const secrets = await secretFiles(request.secrets);
  // Podman gives labels of the query to every image on the way, so that one of a failed build would pass for the result.
  const dockerfile = podman ? withLabels(request.dockerfile, request.labels) : request.dockerfile;
  const tar = contextTar(dockerfile, [...request.files, ...secrets.files]);
  // A file that cannot be read destroys the tar, and with it the request; this keeps the first reason.
  tar.on("error", (error: Error) => stop.abort(engineError(error, doing)));
  try {
    const query = {
      ...commonQuery(request),
      dockerfile: tarDockerfile,
      rm: true,
      forcerm: true,
      ...(podman && {
        layers: true,
        labels: undefined,
        networkmode: undefined,
        ...podmanNetwork(request.network),
      }),
      // Docker takes registries on loopback as plain HTTP by itself.
      ...(podman && registries.some(isLoopback) && registries.every(isLoopback) && { tlsVerify: false }),
      ...(secrets.options.length > 0 && { secrets: JSON.stringify(secrets.options) }),
    };
    const ask = { method: "POST", path: "/build", query, headers, file: tar, signal: stop.signal } as const;
    return await follow(engine, ask, new ClassicReading(on), {
      signal: stop.signal,
      titleOf: request.titleOf,
    });
  } finally {
    tar.destroy();
  }
}

function commonQuery(request: BuildRequest): Record<string, unknown> {
  return {
    labels: JSON.stringify(request.labels),
    buildargs: JSON.stringify(request.buildArgs),
    platform: request.platform,
    networkmode: request.network,
    target: request.target,
    ...(request.noCache && { nocache: true }),
    ...(request.pull && { pull: true }),
  };
}

/** Sends the request, reads the rows to their end, and makes sure that there is an image. */
async function follow(
  engine: Engine,
  request: EngineRequest,
  reading: BuildReading,
  { signal, titleOf }: { signal: AbortSignal; titleOf: BuildRequest["titleOf"] },
): Promise<BuildOutcome> {
  let stream: IncomingMessage | undefined;
  try {
    stream = await streamRequest(engine.docker, request);
    stream.on("error", () => {});
    for await (const row of jsonLines<BuildRow>(stream)) {
      signal.throwIfAborted();
      reading.take(row);
    }
  } catch (error) {
    reading.finish();
    // The row that says why can be the last one before the connection goes.
    if (reading.error !== undefined && !signal.aborted) throw failure(reading, titleOf);
    const refused = statusOf(error) !== undefined && !isConnectionLoss(error);
    if (refused) throw explainBuildFailure("", [], engineMessage(error));
    throw error;
  } finally {
    stream?.destroy();
  }
  reading.finish();
  if (reading.error !== undefined) throw failure(reading, titleOf);
  const image = reading.imageId === undefined ? undefined : await inspectImage(engine, reading.imageId);
  if (image === undefined)
    throw new UserError("build_failed", "The engine ended the build without an image.", {
      why: "Its answer stopped before it named the image.",
      hint: "The engine may have been stopped or restarted; look at its log and build again.",
    });
  return { id: image.id, steps: reading.steps, cachedSteps: reading.cachedSteps };
}

function failure(reading: BuildReading, titleOf: BuildRequest["titleOf"]): UserError {
  const { name = "", lines = [] } = reading.failedStep ?? {};
  return explainBuildFailure(name, lines, reading.error ?? "", titleOf?.(name));
}

function mountsUnsupported(engine: Engine): UserError {
  return new UserError("engine_unsupported", "This build needs BuildKit, which the engine does not offer.", {
    why: `It mounts secrets or caches, and the classic builder of Docker ${engine.info.version} cannot.`,
    hint: "Unset DOCKER_BUILDKIT if it is 0, or update the engine to Docker 18.09 or later.",
  });
}
