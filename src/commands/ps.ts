import type { Command } from "commander";
import { table } from "../ui/table.js";
import { type CommandContext, type CommandResult, type Run, surroundings } from "./command.js";

export default function define(command: Command, run: Run): void {
  command.option("-a, --all", "Also those that have ended").action(run(action));
}

async function action(context: CommandContext, flags: { all?: boolean }): Promise<CommandResult> {
  const { list } = await import("../deploy/list.js");
  const services = await list({ ...surroundings(context), all: flags.all ?? false });
  if (services.length === 0) {
    context.report({ type: "note", message: "No services. `modelship run --detach` starts one." });
  }
  return {
    json: {
      services: services.map(({ name, id, image, url, state, status, created }) => ({
        name,
        id,
        image,
        url: url ?? null,
        state,
        status,
        created: created.toISOString(),
      })),
    },
    text:
      services.length === 0
        ? undefined
        : table([
            ["NAME", "IMAGE", "URL", "STATE", "AGE"],
            ...services.map((service) => [
              service.name,
              service.image,
              service.url ?? "-",
              service.running ? service.state : service.status,
              age(service.created, new Date()),
            ]),
          ]),
  };
}

/** `12s`, `5m`, `3h`, `4d`. */
export function age(since: Date, now: Date): string {
  const seconds = Math.max(0, Math.floor((now.getTime() - since.getTime()) / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
