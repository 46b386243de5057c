import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { UserError } from "../../errors.js";
import { type ExecResult, exec } from "../../exec.js";
import type { Credential } from "./credential.js";

/** What a helper answers, and what it is told to keep. */
export interface HelperEntry {
  ServerURL: string;
  Username: string;
  Secret: string;
}

const timeout = 60_000;
/** Helpers are separate programs with one agreed sentence for "I have nothing". */
const nothing = /credentials not found/i;

/** Asks `docker-credential-<name>`; `undefined` when it has nothing for this server. */
export async function helperGet(
  name: string,
  server: string,
  env: NodeJS.ProcessEnv,
): Promise<Credential | undefined> {
  const result = await runHelper(name, "get", server, env);
  if (result.exitCode !== 0) {
    if (nothing.test(`${result.stdout}\n${result.stderr}`)) return undefined;
    throw failed(name, "get", server, result);
  }
  let entry: Partial<HelperEntry>;
  try {
    entry = JSON.parse(result.stdout) as Partial<HelperEntry>;
  } catch {
    throw unreadable(name, server);
  }
  if (typeof entry?.Username !== "string" || typeof entry.Secret !== "string") throw unreadable(name, server);
  if (entry.Username === "" && entry.Secret === "") return undefined;
  return entry.Username === "<token>"
    ? { kind: "identity", token: entry.Secret }
    : { kind: "basic", username: entry.Username, password: entry.Secret };
}

export async function helperStore(name: string, entry: HelperEntry, env: NodeJS.ProcessEnv): Promise<void> {
  const result = await runHelper(name, "store", JSON.stringify(entry), env);
  if (result.exitCode !== 0) throw failed(name, "store", entry.ServerURL, result, entry.Secret);
}

/** Whether the helper had something to forget. */
export async function helperErase(name: string, server: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  const known = await helperGet(name, server, env);
  if (known === undefined) return false;
  const result = await runHelper(name, "erase", server, env);
  if (result.exitCode !== 0 && !nothing.test(`${result.stdout}\n${result.stderr}`)) {
    throw failed(name, "erase", server, result);
  }
  return true;
}

/** The helper that Docker would choose by itself on this system, when it is installed. */
export function platformHelper(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): string | undefined {
  const name =
    platform === "darwin"
      ? "osxkeychain"
      : platform === "win32"
        ? "wincred"
        : onPath("pass", env, platform)
          ? "pass"
          : "secretservice";
  return onPath(program(name), env, platform) ? name : undefined;
}

function onPath(file: string, env: NodeJS.ProcessEnv, platform: NodeJS.Platform): boolean {
  const path = env.PATH ?? env.Path ?? "";
  const names = platform === "win32" ? [`${file}.exe`, `${file}.cmd`] : [file];
  return path.split(delimiter).some((directory) =>
    names.some((name) => {
      try {
        if (directory === "") return false;
        accessSync(join(directory, name), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    }),
  );
}

function program(name: string): string {
  return `docker-credential-${name}`;
}

async function runHelper(
  name: string,
  action: string,
  input: string,
  env: NodeJS.ProcessEnv,
): Promise<ExecResult> {
  if (/[/\\\0]/.test(name)) {
    throw new UserError("credential_helper", `"${name}" is not the name of a credential helper.`, {
      why: "The Docker configuration names it in credsStore or credHelpers.",
      hint: `Write what follows "docker-credential-" in the program's name.`,
    });
  }
  const result = await exec(program(name), [action], { input, env, timeout });
  if (result.missing) {
    throw new UserError("credential_helper", `The credential helper ${program(name)} is not on the PATH.`, {
      why: `The Docker configuration says that "${name}" keeps the credentials.`,
      hint: "Install it, or remove it from credsStore or credHelpers in Docker's config.json and log in again.",
    });
  }
  return result;
}

function unreadable(name: string, server: string): UserError {
  return new UserError(
    "credential_helper",
    `${program(name)} gave an answer for ${server} that cannot be read.`,
    {
      why: "A helper answers with JSON that holds Username and Secret.",
      hint: `Try it by hand: echo ${server} | ${program(name)} get`,
    },
  );
}

function failed(name: string, action: string, server: string, result: ExecResult, secret = ""): UserError {
  const said = [result.stderr, result.stdout]
    .flatMap((text) => text.split("\n"))
    .map((line) => line.trim())
    // A line of JSON may be a credential, whatever the exit code says.
    .find((line) => line !== "" && !/^\{|"secret"/i.test(line) && !(secret !== "" && line.includes(secret)));
  return new UserError(
    "credential_helper",
    `${program(name)} could not ${action} the credential of ${server}.`,
    {
      why:
        said !== undefined
          ? `It said: ${said.slice(0, 300)}`
          : result.exitCode === undefined
            ? `It did not answer within ${timeout / 1000} seconds.`
            : `It ended with exit code ${result.exitCode} and no explanation.`,
      hint: "Unlock or repair the credential store, then try again.",
    },
  );
}
