import { UserError } from "../errors.js";
import type { CommandContext, Define } from "./command.js";

interface Flags {
  username?: string;
  passwordStdin?: boolean;
  insecure?: boolean;
}

const define: Define = (command, run) => {
  command
    .argument("[registry]", "Registry host; default: Docker Hub", "docker.io")
    .option("-u, --username <name>", "User name")
    .option("--password-stdin", "Read the password or token from stdin")
    .option("--insecure", "Speak plain HTTP to a registry that is not on this machine")
    .action(
      run(async (context, registry: string, flags: Flags) => {
        const { login } = await import("../registry/login.js");
        const { username, password } = await answers(context, registry, flags);
        const result = await login({
          registry,
          username,
          password,
          env: context.env,
          insecure: flags.insecure ?? false,
          signal: context.signal,
        });
        context.report({
          type: "note",
          message: `Signed in to ${result.registry}; kept in ${result.stored}`,
        });
        return { json: { ...result } };
      }),
    );
};

export default define;

async function answers(context: CommandContext, registry: string, flags: Flags) {
  if (flags.passwordStdin) {
    if (!flags.username) throw missing("--password-stdin gives the password, not the user name.");
    return { username: flags.username, password: await readPassword() };
  }
  if (!context.interactive) throw missing("There is no terminal to ask on.");
  const { askPassword, askText } = await import("../ui/prompts.js");
  const { signal } = context;
  const username = flags.username ?? (await askText({ message: `User name for ${registry}:`, signal }));
  return { username, password: await askPassword({ message: "Password or token:", signal }) };
}

function missing(why: string): UserError {
  return new UserError("usage", "The user name or the password is missing.", {
    why,
    hint: "Give both: `modelship login HOST --username NAME --password-stdin < token.txt`.",
  });
}

/** The whole of stdin without the line end that `echo` adds. */
async function readPassword(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}
