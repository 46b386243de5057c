import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { packagePath } from "../../src/package.js";
import { folderWith } from "./folder.js";

export interface RunningService {
  url: string;
  root: string;
}

/** The Python with all that the service's own tests need. */
export function servicePython(): string {
  const python = process.env.MODELSHIP_TEST_SERVICE_PYTHON;
  if (!python) throw new Error("MODELSHIP_TEST_SERVICE_PYTHON names no Python: npm test sets it up.");
  return python;
}

/** The real service, for a project of these files, until the test ends. */
export async function startService(
  files: Readonly<Record<string, string | Buffer>>,
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningService> {
  const root = await folderWith(files);
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    PYTHONPATH: packagePath("templates/service/python"),
    PYTHONDONTWRITEBYTECODE: "1",
    MODELSHIP_PORT: "0",
    ...settings,
  };
  const child = spawn(servicePython(), ["-m", "modelship_service"], {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const gone = new Promise<void>((resolve) => child.on("close", () => resolve()));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await gone;
  });
  return { url: `http://127.0.0.1:${await portWhenReady(child)}/`, root };
}

/** What its log says once it is ready; a service that ends before is an error with all that it said. */
function portWhenReady(child: ChildProcess): Promise<number> {
  const said: string[] = [];
  let port = 0;
  return new Promise((resolve, reject) => {
    const { stdout, stderr } = child;
    if (!stdout || !stderr) return reject(new Error("the service has no output"));
    stderr.on("data", (text: Buffer) => said.push(text.toString()));
    createInterface(stdout).on("line", (line) => {
      said.push(line);
      const entry = JSON.parse(line);
      if (entry.event === "listening") port = entry.port;
      if (entry.event === "ready") resolve(port);
    });
    child.on("error", reject);
    child.on("close", (code) => reject(new Error(`the service ended with ${code}:\n${said.join("\n")}`)));
  });
}
