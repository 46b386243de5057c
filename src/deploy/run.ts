import { readFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import type { Engine } from "../docker/client.js";
import { connectEngine } from "../docker/connect.js";
import { inspectContainer, removeContainer, stopContainer } from "../docker/containers.js";
import { containerLogs, type LogLine } from "../docker/logs.js";
import { messageOf, throwIfAborted, UserError } from "../errors.js";
import { Label } from "../image/label-names.js";
import { loadProject, type Project } from "../project/load.js";
import { type Reporter, task } from "../reporter.js";
import { isReady } from "../service/client.js";
import { remoteHost } from "./address.js";
import { curlLine } from "./curl.js";
import {
  type Environment,
  mergeEnvironments,
  parseEnvironmentFile,
  parseEnvironmentFlags,
} from "./environment.js";
import { findExample } from "./example.js";
import { type Ending, notReady, serviceFailed, wasStopped } from "./failure.js";
import {
  type ImageOptions,
  namedImage,
  projectImage,
  projectWeights,
  type ServiceImage,
  type Weights,
} from "./image.js";
import { projectKey } from "./labels.js";
import type { GpuRequest } from "./limits.js";
import { freePort, isPortFree } from "./ports.js";
import { defaultReadySeconds, waitUntilReady } from "./ready.js";
import { type ContainerPlan, openFiles } from "./spec.js";
import { type Started, startPlanned, WeightsNotSeen } from "./start.js";

export interface RunOptions extends ImageOptions {
  /** Any modelship image; the project's own without it. */
  image?: string | undefined;
  /** The project's folder (`--project`). */
  dir?: string | undefined;
  /** Bring the project's image up to date first. */
  build: boolean;
  /** Name of the service and its container; by default the project's. */
  name?: string | undefined;
  /** Port on the engine's machine; 0 for a free one. By default the service's own. */
  port?: number | undefined;
  /** Address to listen on. */
  bind: string;
  /** `KEY=VALUE` or `KEY`. */
  environment: readonly string[];
  environmentFiles: readonly string[];
  memory?: number | undefined;
  nanoCpus?: number | undefined;
  gpus?: GpuRequest | undefined;
  readOnly: boolean;
  /** Arguments for the service. */
  command: readonly string[];
  /** Seconds to wait for readiness. */
  timeout?: number | undefined;
  /** Leave it running; else `runService` returns when the service has ended. */
  detach: boolean;
  /** Seconds that a service gets to finish its requests when it is stopped. */
  drain: number;
  /** The service is ready; it goes on in the foreground. */
  onReady?: ((service: RunningService) => void) | undefined;
  /** Output of a service in the foreground, from its start on. */
  onLog?: ((line: LogLine) => void) | undefined;
  /** Takes work to do when the user cannot wait for a clean end; returns a function that takes it back. */
  lastResort?: ((work: () => Promise<void>) => () => void) | undefined;
}

export interface RunningService {
  id: string;
  name: string;
  url: string;
  image: string;
  /** A line to copy that sends a request. */
  curl: string;
}

/**
 * Starts a service and waits until it is ready. In the foreground it stays until the service ends or `signal` fires;
 * nothing is left behind then, nor when it does not get ready or is interrupted on the way.
 */
export async function runService(options: RunOptions): Promise<RunningService> {
  const { report, signal } = options;
  const flags = parseEnvironmentFlags(options.environment, options.env);
  const files = await readEnvironmentFiles(options);
  checkNetwork(options.network);
  const project = options.image === undefined ? await findProject(options) : undefined;
  const engine = await connectEngine(options);
  checkReachable(engine, options);

  const given = mergeEnvironments(...files, flags);
  const environment = project ? withServiceKeys(project, given, options.env, report) : given;
  const prepared = await prepare(engine, project, options);
  throwIfAborted(signal);
  const plan = await planContainer(engine, project, prepared, environment, options);

  let started: Started | undefined;
  const discard = async () => {
    if (started) await removeContainer(engine, started.id);
  };
  const forget = options.lastResort?.(discard);
  try {
    const start = async (with_: Prepared, next: ContainerPlan) => {
      started = await task(report, "start", `Start ${next.service}`, () =>
        startPlanned(engine, next, with_.weights?.sample, report),
      );
      throwIfAborted(signal);
      return { started, prepared: with_, plan: next };
    };
    const first = await start(prepared, plan).catch(async (error: unknown) => {
      if (!(error instanceof WeightsNotSeen) || !project || !options.build)
        throw weightsError(error, prepared);
      report({
        type: "note",
        message: "The engine does not see this machine's model files: they go into the image instead.",
      });
      const baked = await prepare(engine, project, options, true);
      throwIfAborted(signal);
      return start(baked, { ...plan, ...imagePart(baked) });
    });

    const service: RunningService = {
      id: first.started.id,
      name: plan.service,
      url: first.started.url,
      image: first.prepared.image.name,
      curl: await firstRequest(first.started.url, project, options.cwd),
    };
    await becomeReady(engine, service, first.started, first.prepared, options);
    if (!options.detach) {
      options.onReady?.(service);
      await stay(engine, service, first.started, options);
    }
    first.started.exit.close();
    return service;
  } catch (error) {
    (started as Started | undefined)?.exit.close();
    await discard().catch((problem: unknown) =>
      report({
        type: "warning",
        message: `The container ${plan.service} could not be removed: ${messageOf(problem)}`,
        hint: `Remove it with \`modelship stop ${plan.service}\`.`,
      }),
    );
    throw error;
  } finally {
    forget?.();
  }
}

interface Prepared {
  image: ServiceImage;
  /** What has to be mounted. */
  weights: Weights | undefined;
}

/** The image, and the model files where it does not hold them. */
async function prepare(
  engine: Engine,
  project: Project | undefined,
  options: RunOptions,
  mustBake = false,
): Promise<Prepared> {
  if (!project) {
    return { image: await namedImage(engine, options.image ?? "", options), weights: undefined };
  }
  const weights = await projectWeights(project);
  const remote = remoteHost(engine.endpoint) !== undefined;
  if (!mustBake && !remote && !weights.readable && options.build) {
    options.report({
      type: "note",
      message: `Not everyone may read ${weights.source}, and the service runs as nobody in particular: the model files go into the image instead of being mounted. \`chmod -R a+rX\` on that folder avoids it.`,
    });
  }
  const bake = mustBake || remote || !weights.readable;
  const image = await projectImage(engine, project, { build: options.build, bake }, options);
  return { image, weights: image.labels[Label.weights] === "mounted" ? weights : undefined };
}

/** Where the image cannot be replaced by one that holds the files, the user has to know. */
function weightsError(error: unknown, prepared: Prepared): unknown {
  if (!(error instanceof WeightsNotSeen)) return error;
  return new UserError(
    "model_files",
    `The engine does not see the model files at ${prepared.weights?.source}.`,
    {
      why: error.message || "It is on another machine, or in a virtual machine that shares no such folder.",
      hint: "Build an image that holds them with `modelship build`, and run that.",
      cause: error,
    },
  );
}

function imagePart({
  image,
  weights,
}: Prepared): Pick<ContainerPlan, "image" | "imageName" | "weights" | "files"> {
  return {
    image: image.id,
    imageName: image.name,
    files: image.labels[Label.files],
    weights: weights && { source: weights.source, target: image.labels[Label.files] ?? weights.target },
  };
}

async function planContainer(
  engine: Engine,
  project: Project | undefined,
  prepared: Prepared,
  environment: Environment,
  options: RunOptions,
): Promise<ContainerPlan> {
  const { labels } = prepared.image;
  // Podman's Docker API takes a request for GPUs and does nothing about it; a silent CPU is worse than an error.
  if (options.gpus && engine.info.kind === "podman" && Number.parseInt(engine.info.version, 10) < 5) {
    throw new UserError(
      "engine_unsupported",
      `Podman ${engine.info.version} gives no GPUs through its Docker API.`,
      {
        hint: "Use Docker with nvidia-container-toolkit or Podman 5 with CDI, or run without --gpus.",
      },
    );
  }
  const service = serviceName(options.name ?? project?.config.name ?? labels[Label.name] ?? "service");
  const port = Number(labels[Label.port] ?? 8080);
  if (labels[Label.accelerator] === "cuda" && !options.gpus) {
    options.report({
      type: "note",
      message: "This image is made for CUDA and gets no GPU; --gpus all gives it all of them.",
    });
  }
  return {
    ...imagePart(prepared),
    service,
    project: project && projectKey(project.root),
    port,
    address: options.bind,
    hostPort: await choosePort(engine, options, port),
    network: options.network,
    environment,
    command: options.command,
    memory: options.memory,
    nanoCpus: options.nanoCpus,
    gpus: options.gpus,
    readOnly: options.readOnly,
    init: true,
    openFiles,
  };
}

async function choosePort(engine: Engine, options: RunOptions, servicePort: number): Promise<number> {
  const wanted = options.port ?? servicePort;
  if (remoteHost(engine.endpoint) !== undefined) return wanted;
  if (wanted === 0) return freePort(options.bind);
  if (await isPortFree(options.bind, wanted)) return wanted;
  const port = await freePort(options.bind);
  options.report({ type: "note", message: `Port ${wanted} is in use; taking ${port}.` });
  return port;
}

async function becomeReady(
  engine: Engine,
  service: RunningService,
  started: Started,
  prepared: Prepared,
  options: RunOptions,
): Promise<void> {
  const { report, signal } = options;
  const bytes = prepared.weights?.bytes ?? prepared.image.size;
  const seconds = options.timeout ?? defaultReadySeconds(bytes);
  await task(
    report,
    "ready",
    `Wait until ${service.name} is ready (up to ${Math.round(seconds)} s)`,
    async () => {
      const outcome = await waitUntilReady({
        probe: (signal) => isReady(service.url, signal),
        exited: started.exit.exited,
        timeoutMs: seconds * 1000,
        signal,
      });
      if (outcome === "timeout")
        throw notReady(service.name, seconds, (await ending(engine, started.id)).lines);
      if (outcome === "exited") throw serviceFailed(service.name, await ending(engine, started.id), false);
    },
  );
}

async function firstRequest(url: string, project: Project | undefined, cwd: string): Promise<string> {
  const example = project && (await findExample(project));
  return curlLine({
    url,
    file: example ? relative(cwd, example) : "request.json",
    key: Boolean(project?.config.service.auth.keys_env),
  });
}

/** The foreground: its output, until it ends by itself or is asked to. */
async function stay(
  engine: Engine,
  service: RunningService,
  started: Started,
  options: RunOptions,
): Promise<void> {
  const { report, signal } = options;
  const over = new AbortController();
  const output = pump(engine, started.id, over.signal, options);
  const asked = new Promise<"asked">((resolve) => {
    if (signal?.aborted) resolve("asked");
    signal?.addEventListener("abort", () => resolve("asked"), { once: true });
  });
  try {
    const why = await Promise.race([started.exit.exited.then(() => "ended" as const), asked]);
    if (why === "asked") {
      const title = `Stop ${service.name} (it has ${options.drain} s to finish its requests)`;
      await task(report, "stop", title, () => stopContainer(engine, started.id, options.drain));
    }
    // What it printed last is still on its way.
    await Promise.race([output, new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
    if (why === "ended") {
      const end = await ending(engine, started.id);
      if (!wasStopped(end)) throw serviceFailed(service.name, end, true);
      report({ type: "note", message: `${service.name} was stopped.` });
    }
    await removeContainer(engine, started.id);
  } finally {
    over.abort();
  }
}

async function pump(engine: Engine, id: string, signal: AbortSignal, options: RunOptions): Promise<void> {
  try {
    for await (const line of containerLogs(engine, id, { follow: true, signal })) options.onLog?.(line);
  } catch (error) {
    options.report({ type: "warning", message: `No more logs: ${messageOf(error)}` });
  }
}

const linesOfAnEnding = 200;

async function ending(engine: Engine, id: string): Promise<Ending> {
  const state = await inspectContainer(engine, id);
  const lines: LogLine[] = [];
  try {
    if (state)
      for await (const line of containerLogs(engine, id, { tail: linesOfAnEnding })) lines.push(line);
  } catch {
    // Logs are a help, and some log drivers give none; the ending itself is what has to be told.
  }
  return { state, lines };
}

async function findProject(options: RunOptions): Promise<Project> {
  return loadProject({ cwd: options.cwd, dir: options.dir, env: options.env });
}

async function readEnvironmentFiles(options: RunOptions): Promise<Environment[]> {
  return Promise.all(
    options.environmentFiles.map(async (name) => {
      try {
        return parseEnvironmentFile(await readFile(resolve(options.cwd, name)), name, options.env);
      } catch (cause) {
        if (cause instanceof UserError) throw cause;
        throw new UserError("usage", `The file ${name} of --env-file cannot be read.`, {
          why: messageOf(cause),
          cause,
        });
      }
    }),
  );
}

/** The keys that the project's service accepts, from this machine's environment unless they were given. */
function withServiceKeys(
  project: Project,
  given: Environment,
  env: NodeJS.ProcessEnv,
  report: Reporter,
): Environment {
  const name = project.config.service.auth.keys_env;
  const value = name ? env[name] : undefined;
  if (!name || given.has(name)) return given;
  if (value === undefined) {
    report({
      type: "warning",
      message: `The service takes its API keys from ${name}, which is not set.`,
      hint: `Set it here, or pass it with --env-file.`,
    });
    return given;
  }
  report({ type: "note", message: `Passing ${name} on to the service (service.auth.keys_env).` });
  return new Map([...given, [name, value]]);
}

function checkNetwork(network: string | undefined): void {
  if (network === undefined || !/^(none|container:.*)$/.test(network)) return;
  throw new UserError("usage", `A service on the network "${network}" cannot be reached.`, {
    why: "It publishes no port there.",
    hint: "Name another network, or `host`.",
  });
}

function checkReachable(engine: Engine, options: RunOptions): void {
  const remote = remoteHost(engine.endpoint);
  if (remote === undefined || !/^(127\.|::1$|localhost$)/.test(options.bind)) return;
  throw new UserError(
    "usage",
    `The engine is on ${remote}, where ${options.bind} cannot be reached from here.`,
    {
      why: "Services listen on the loopback address of the engine's machine unless told otherwise.",
      hint: "Use --bind 0.0.0.0 to listen on all of its addresses, if its network may reach the service.",
    },
  );
}

function serviceName(name: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(name)) return name;
  throw new UserError("usage", `"${name}" cannot be the name of a container.`, {
    hint: "Use letters, digits and _ . - with --name.",
  });
}
