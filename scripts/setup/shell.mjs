// Child processes that end: quiet when they do well, with all they said when they do not.
import { spawn, spawnSync } from "node:child_process";
import { SetupError } from "./say.mjs";

export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    const output = [];
    child.stdout?.on("data", (data) => output.push(data));
    child.stderr?.on("data", (data) => output.push(data));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const text = Buffer.concat(output).toString();
      if (code === 0) resolve(text);
      else
        reject(
          new SetupError(
            `${command} ${args.join(" ")} ended with ${signal ?? code}.\n${text.trim().split("\n").slice(-25).join("\n")}`,
          ),
        );
    });
  });
}

export const onPath = (command) =>
  spawnSync("sh", ["-c", 'command -v "$1"', "sh", command], { stdio: "ignore", env: withSbin(process.env) })
    .status === 0;

/** Daemons live in sbin, which not every shell has on its PATH. */
export const withSbin = (env) => ({ ...env, PATH: `${env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin` });
