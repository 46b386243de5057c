import type { Engine } from "../docker/client.js";
import { type ExitWatch, watchExit } from "../docker/container-events.js";
import {
  createContainer,
  fileInContainer,
  inspectContainer,
  removeContainer,
  startContainer,
  startProblem,
} from "../docker/containers.js";
import { engineError, engineMessage } from "../docker/errors.js";
import { messageOf, UserError } from "../errors.js";
import type { Reporter } from "../reporter.js";
import { serviceUrl } from "./address.js";
import { ServiceLabel } from "./labels.js";
import { freePort } from "./ports.js";
import { urlOf } from "./services.js";
import { type ContainerPlan, containerSpec } from "./spec.js";

export interface Started {
  id: string;
  url: string;
  exit: ExitWatch;
}

/** A model file on this machine, to see whether the engine sees the same. */
export interface SampleFile {
  /** Path in the container. */
  path: string;
  size: number;
}

/** The engine does not see this machine's model files: another image, one that holds them, can still run. */
export class WeightsNotSeen extends Error {}

const mostAttempts = 6;

/**
 * Creates and starts the container. What an engine cannot do and a service can do without (an init process, a raised
 * limit) is left out; a port that was taken meanwhile is replaced. A container that did not start is removed.
 */
export async function startPlanned(
  engine: Engine,
  planned: ContainerPlan,
  sample: SampleFile | undefined,
  report: Reporter,
): Promise<Started> {
  let plan = planned;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(engine, plan, sample);
    } catch (error) {
      const changed = attempt < mostAttempts && (await withoutProblem(engine, plan, error, report));
      if (!changed) throw explain(error, plan);
      plan = changed;
    }
  }
}

async function startOnce(
  engine: Engine,
  plan: ContainerPlan,
  sample: SampleFile | undefined,
): Promise<Started> {
  const id = await createContainer(engine, plan.service, containerSpec(plan));
  let exit: ExitWatch | undefined;
  try {
    if (sample && (await fileInContainer(engine, id, sample.path)) !== sample.size)
      throw new WeightsNotSeen();
    exit = watchExit(engine, id);
    await startContainer(engine, id);
    return { id, exit, url: await publishedUrl(engine, id, plan) };
  } catch (error) {
    exit?.close();
    await removeContainer(engine, id).catch(() => {});
    throw error;
  }
}

/** Read back from the engine, for it may have chosen the port. */
async function publishedUrl(engine: Engine, id: string, plan: ContainerPlan): Promise<string> {
  const container = await inspectContainer(engine, id);
  const url = container && urlOf(container.ports, container.labels, engine.endpoint);
  if (url) return url;
  // One that has ended already has no ports any more; why it ended is told by whoever waits for it.
  if (container?.state !== "running") return serviceUrl(engine.endpoint, plan.address, plan.hostPort);
  throw new UserError("container_failed", "The engine did not publish the service's port.", {
    why: plan.network
      ? `The network "${plan.network}" publishes none.`
      : "Its default network publishes none (an engine without a bridge).",
    hint: "Run it on the host's network with --network host.",
  });
}

/** The plan to try next, if there is one. */
async function withoutProblem(
  engine: Engine,
  plan: ContainerPlan,
  error: unknown,
  report: Reporter,
): Promise<ContainerPlan | undefined> {
  switch (startProblem(error)) {
    case "port": {
      const local = serviceUrl(engine.endpoint, plan.address, 1) === serviceUrl(here, plan.address, 1);
      const hostPort = local ? await freePort(plan.address) : 0;
      report({
        type: "note",
        message: `Port ${plan.hostPort} is in use${hostPort ? `; taking ${hostPort}` : "; letting the engine choose one"}.`,
      });
      return { ...plan, hostPort };
    }
    case "limits":
      return plan.openFiles ? { ...plan, openFiles: undefined } : undefined;
    case "init":
      return plan.init ? { ...plan, init: false } : undefined;
    case "name":
      return (await removeEnded(engine, plan.service)) ? plan : undefined;
    default:
      return undefined;
  }
}

const here = { host: "unix://", source: "" };

/** Makes room where an earlier service of ours of this name has ended; says what is in the way where it has not. */
async function removeEnded(engine: Engine, name: string): Promise<boolean> {
  const other = await inspectContainer(engine, name);
  if (!other) return true;
  if (!(ServiceLabel.name in other.labels))
    throw new UserError("container_failed", `A container named "${name}" is there already.`, {
      why: "modelship did not start it, and leaves it alone.",
      hint: "Give the service another name with --name.",
    });
  if (other.state === "running" || other.state === "paused" || other.state === "restarting") {
    const url = urlOf(other.ports, other.labels, engine.endpoint);
    throw new UserError("container_failed", `${name} is running already${url ? ` at ${url}` : ""}.`, {
      hint: `Stop it with \`modelship stop ${name}\`, or start a second one with --name.`,
    });
  }
  // One that was only just created may belong to a run that is about to start it.
  if (other.state === "created") return false;
  await removeContainer(engine, other.id);
  return true;
}

function explain(error: unknown, plan: ContainerPlan): unknown {
  if (error instanceof UserError || error instanceof WeightsNotSeen) return error;
  const why = engineMessage(error) || messageOf(error);
  switch (startProblem(error)) {
    case "gpu":
      return new UserError("container_failed", "The engine cannot give the container a GPU.", {
        why,
        hint: "Install nvidia-container-toolkit on the engine's machine and restart the engine, or run without --gpus.",
        cause: error,
      });
    case "mount":
      return plan.weights
        ? new WeightsNotSeen(why, { cause: error })
        : engineError(error, "starting the container");
    case "network":
      return new UserError(
        "container_failed",
        plan.network === undefined
          ? "The engine's own network is broken."
          : `The engine has no network "${plan.network}".`,
        {
          why,
          hint:
            plan.network === undefined
              ? "Restart the engine, which makes its bridge again, or use --network host."
              : "`docker network ls` lists them.",
          cause: error,
        },
      );
    case "name":
      return new UserError("container_failed", `A container named "${plan.service}" is there already.`, {
        why,
        hint: "Remove it, or give the service another name with --name.",
        cause: error,
      });
    default:
      return engineError(error, "starting the container");
  }
}
