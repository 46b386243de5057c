import { connectEngine } from "../docker/connect.js";
import { UserError } from "../errors.js";
import type { Project } from "../project/load.js";
import { identity, type ProjectChoice } from "./project-root.js";
import { listServices, namedServices, onlyService } from "./services.js";

export interface RunningChoice extends ProjectChoice {
  host?: string | undefined;
  context?: string | undefined;
  signal?: AbortSignal | undefined;
  /** One of several services. */
  name?: string | undefined;
}

/** Where the service answers that is meant: the one of that name, or the project's. */
export async function runningUrl(project: Project | undefined, choice: RunningChoice): Promise<string> {
  const engine = await connectEngine(choice);
  const services = await listServices(engine);
  const service =
    choice.name === undefined
      ? onlyService(services, identity(project), "Name one with --name, or give its address with --url.")
      : namedServices(services, [choice.name])[0];
  if (service?.url) return service.url;
  throw new UserError("service_unreachable", noService(project), {
    why: project && services.length > 0 ? "What runs was not started from this project." : undefined,
    hint: "Start it with `modelship run --detach`, or name another with --url.",
  });
}

function noService(project: Project | undefined): string {
  return project ? `No service of ${project.config.name} is running.` : "No service is running.";
}
