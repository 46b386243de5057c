import { type Command, Option } from "commander";
import type { KeyEntry } from "../keys/document.js";
import type { CommandContext, CommandResult, Define, Run } from "./command.js";
import { list, number } from "./values.js";

interface FileFlag {
  file?: string;
}

interface CreateFlags extends FileFlag {
  scope: string[];
  expires?: string;
  rate?: string;
  maxConcurrency?: string;
}

const define: Define = (command, run) => {
  command.helpCommand(false);
  defineCreate(command, run);
  withFile(command.command("list").description("List the keys")).action(run(listAction));
  withFile(command.command("revoke").description("Take a key out of the file"))
    .argument("<name-or-id>", "Which key")
    .action(run(revokeAction));
};

export default define;

function defineCreate(command: Command, run: Run): void {
  withFile(command.command("create").description("Make a key and print it, once"))
    .argument("<name>", "Who or what it is for; the log shows it")
    .addOption(
      new Option("--scope <scope>", "What it may do (repeatable)")
        .choices(["predict", "admin", "metrics"])
        .argParser(list)
        .default([], "predict"),
    )
    .option("--expires <when>", "When it ends: 90d, 12h, 2027-01-01 (default: never)")
    .option("--rate <rate>", "Requests that it may send: 60/minute (default: the service's)")
    .option("--max-concurrency <n>", "Requests that it may have at once (default: the service's)")
    .action(run(createAction));
}

function withFile(command: Command): Command {
  return command.option("--file <file>", "The file of keys (default: the project's)");
}

async function createAction(
  context: CommandContext,
  name: string,
  flags: CreateFlags,
): Promise<CommandResult> {
  const [{ createKey }, terms] = await Promise.all([import("../keys/create.js"), import("../keys/terms.js")]);
  const now = new Date();
  const { key, entry, file } = await createKey({
    ...place(context, flags),
    name,
    scopes: terms.parseScopes(flags.scope),
    expires: flags.expires === undefined ? null : terms.parseExpiry(flags.expires, now),
    rateLimit: flags.rate === undefined ? null : terms.parseRate(flags.rate),
    maxConcurrency: number(flags.maxConcurrency, terms.parseConcurrency) ?? null,
    now,
    signal: context.signal,
  });
  return { json: { key, ...shown(entry), file }, text: key };
}

async function listAction(context: CommandContext, flags: FileFlag): Promise<CommandResult> {
  const [{ listKeys }, { hasExpired }, { table }] = await Promise.all([
    import("../keys/list.js"),
    import("../keys/document.js"),
    import("../ui/table.js"),
  ]);
  const { file, keys } = await listKeys(place(context, flags));
  const now = new Date();
  const rows = keys.map((key) => [
    key.name,
    key.id,
    key.scopes.join(","),
    key.created ?? "-",
    key.expires === null ? "never" : `${key.expires}${hasExpired(key, now) ? " (expired)" : ""}`,
    limits(key),
  ]);
  return {
    json: { file, keys: keys.map((key) => ({ ...shown(key), expired: hasExpired(key, now) })) },
    text:
      keys.length === 0
        ? undefined
        : table([["NAME", "ID", "SCOPES", "CREATED", "EXPIRES", "LIMIT"], ...rows]),
  };
}

async function revokeAction(
  context: CommandContext,
  nameOrId: string,
  flags: FileFlag,
): Promise<CommandResult> {
  const { revokeKey } = await import("../keys/revoke.js");
  const { entry, file } = await revokeKey({ ...place(context, flags), nameOrId, signal: context.signal });
  return { json: { id: entry.id, name: entry.name, file }, scriptText: entry.id };
}

function place({ cwd, env, globals, report }: CommandContext, { file }: FileFlag) {
  return { cwd, env, dir: globals.project, file, report };
}

/** All of a key but its hash. */
function shown({ id, name, scopes, created, expires, rate_limit, max_concurrency }: KeyEntry) {
  return { id, name, scopes, created, expires, rateLimit: rate_limit, maxConcurrency: max_concurrency };
}

function limits({ rate_limit, max_concurrency }: KeyEntry): string {
  const parts = [
    rate_limit && `${rate_limit.requests}/${rate_limit.per}`,
    max_concurrency && `${max_concurrency} at once`,
  ];
  return parts.filter(Boolean).join(", ") || "-";
}
