import type { Engine } from "../docker/client.js";
import { connectEngine } from "../docker/connect.js";
import { removeContainer } from "../docker/containers.js";
import { messageOf, throwIfAborted, UserError } from "../errors.js";
import { Label } from "../image/label-names.js";
import { loadProject, type Project } from "../project/load.js";
import { task } from "../reporter.js";
import { isReady } from "../service/client.js";
import { remoteHost } from "./address.js";
import { ending } from "./ending.js";
import type { Environment } from "./environment.js";
import { firstRequest } from "./example.js";
import { notReady, serviceFailed } from "./failure.js";
import { stay } from "./foreground.js";
import { containerKeys } from "./keys.js";
import { projectKey } from "./labels.js";
import { choosePort } from "./ports.js";
import { imagePart, type Prepared, prepare, weightsError } from "./prepare.js";
import { defaultReadySeconds, waitUntilReady } from "./ready.js";
import type { RunningService, RunOptions } from "./run-options.js";
import { givenEnvironment, KeyVariable, serviceKeys } from "./service-environment.js";
import { type ContainerPlan, openFiles } from "./spec.js";
import { type Started, startPlanned, WeightsNotSeen } from "./start.js";

/**
 * Starts a service and waits until it is ready. In the foreground it stays until the service ends or `signal` fires;
 * nothing is left behind then, nor when it does not get ready or is interrupted on the way.
 */
export async function runService(options: RunOptions): Promise<RunningService> {
  const { report, signal } = options;
  const given = await givenEnvironment(options);
  checkNetwork(options.network);
  const project = options.image === undefined ? await findProject(options) : undefined;
  const engine = await connectEngine(options);
  checkReachable(engine, options);

  const keys = project ? await serviceKeys(project, given, options.env, report) : { environment: given };
  const { environment, mount } = await containerKeys(engine, keys.environment, keys.file, report);
  warnOfOpenness(project, environment, options);
  const prepared = await prepare(engine, project, options);
  throwIfAborted(signal);
  const plan = { ...(await planContainer(engine, project, prepared, environment, options)), keys: mount };

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
      curl: await firstRequest(first.started.url, project, environment, options.cwd),
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
    const without = options.allowCpu
      ? "it computes on the CPU"
      : "it does not start without one, unless --allow-cpu lets it compute on the CPU";
    options.report({
      type: "note",
      message: `This image is made for CUDA and gets no GPU; --gpus all gives it all of them: ${without}.`,
    });
  }
  return {
    ...imagePart(prepared),
    service,
    project: project && projectKey(project.root),
    port,
    address: options.bind,
    hostPort: await hostPort(engine, options, port),
    network: options.network,
    environment,
    command: options.command,
    memory: options.memory,
    nanoCpus: options.nanoCpus,
    gpus: options.gpus,
    readOnly: options.readOnly,
    init: true,
    // Podman gives a container what its service has, and keeps the port of one whose limit could not be raised.
    openFiles: engine.info.kind === "podman" ? undefined : openFiles,
  };
}

async function hostPort(engine: Engine, options: RunOptions, servicePort: number): Promise<number> {
  const wanted = options.port ?? servicePort;
  if (remoteHost(engine.endpoint) !== undefined) return wanted;
  return choosePort(options.bind, wanted, options.report);
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

async function findProject(options: RunOptions): Promise<Project> {
  return loadProject({ cwd: options.cwd, dir: options.dir, env: options.env });
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

/** Told to listen to others and given no keys, it does; nobody should find that out from somebody else. */
function warnOfOpenness(
  project: Project | undefined,
  environment: Environment,
  { bind, report }: RunOptions,
): void {
  const names = [KeyVariable.text, KeyVariable.file, project?.config.service.auth.keys_env ?? ""];
  if (/^(127\.|::1$|localhost$)/.test(bind) || names.some((name) => environment.has(name))) return;
  report({
    type: "warning",
    message: `No API key is configured: the service answers everyone who can reach ${bind}.`,
    hint: "Make a key with `modelship keys create`, or pass keys with --env MODELSHIP_API_KEYS.",
  });
}

function serviceName(name: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(name)) return name;
  throw new UserError("usage", `"${name}" cannot be the name of a container.`, {
    hint: "Use letters, digits and _ . - with --name.",
  });
}
