import { connectEngine, type EngineChoice } from "../docker/connect.js";
import { removeContainer, stopContainer } from "../docker/containers.js";
import { throwIfAborted } from "../errors.js";
import { type Reporter, task } from "../reporter.js";
import { identity, type ProjectChoice, projectHere } from "./project-root.js";
import { listServices, namedServices, onlyService, type Service, servicesOf } from "./services.js";

export interface StopOptions extends EngineChoice, ProjectChoice {
  /** By default the project's services; outside of a project one has to say. */
  names: readonly string[];
  /** Every service that modelship started. */
  all: boolean;
  /** Seconds that a service gets to finish its requests. */
  drain: number;
  report: Reporter;
}

export interface Stopped {
  name: string;
  id: string;
}

/** Stops services and removes their containers, also those that ended by themselves. */
export async function stopServices(options: StopOptions): Promise<Stopped[]> {
  const { report, signal } = options;
  const engine = await connectEngine(options);
  const services = await choose(await listServices(engine, { all: true }), options);
  if (services.length === 0) report({ type: "note", message: "Nothing to stop." });
  throwIfAborted(signal);
  return Promise.all(
    services.map(({ name, id, running }) =>
      task(report, `stop ${id}`, `${running ? "Stop" : "Remove"} ${name}`, async () => {
        if (running) await stopContainer(engine, id, options.drain);
        await removeContainer(engine, id);
        return { name, id };
      }),
    ),
  );
}

async function choose(services: readonly Service[], options: StopOptions): Promise<Service[]> {
  if (options.names.length > 0) return [...new Set(namedServices(services, options.names))];
  if (options.all) return [...services];
  const project = identity(await projectHere(options));
  if (project) return servicesOf(services, project);
  const only = onlyService(services, undefined, "Name them, or stop all with --all.");
  return only ? [only] : [];
}
