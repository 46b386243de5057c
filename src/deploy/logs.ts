import { connectEngine, type EngineChoice } from "../docker/connect.js";
import { containerLogs, type LogLine } from "../docker/logs.js";
import { UserError } from "../errors.js";
import { identity, type ProjectChoice, projectHere } from "./project-root.js";
import { listServices, namedServices, onlyService } from "./services.js";

export interface LogsOptions extends EngineChoice, ProjectChoice {
  name?: string | undefined;
  follow: boolean;
  tail?: number | undefined;
  since?: Date | undefined;
  onLine: (line: LogLine) => void;
}

/** Shows the output of a service; returns its name when there is no more. */
export async function serviceLogs(options: LogsOptions): Promise<{ name: string; lines: number }> {
  const engine = await connectEngine(options);
  const services = await listServices(engine, { all: true });
  const project = options.name === undefined ? identity(await projectHere(options)) : undefined;
  const service =
    options.name === undefined
      ? onlyService(services, project, "Name one: `modelship logs NAME`.")
      : namedServices(services, [options.name])[0];
  if (!service) {
    throw new UserError(
      "container_not_found",
      project ? "This project has no service." : "There is no service.",
      {
        hint: "Start one with `modelship run --detach`.",
      },
    );
  }
  const { follow, tail, since, signal } = options;
  let lines = 0;
  for await (const line of containerLogs(engine, service.id, { follow, tail, since, signal })) {
    lines += 1;
    options.onLine(line);
  }
  return { name: service.name, lines };
}
