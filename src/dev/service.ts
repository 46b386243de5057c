import { setTimeout as sleep } from "node:timers/promises";
import type { Ending } from "../deploy/failure.js";
import { type OutputLine, start } from "../exec.js";
import { packagePath } from "../package.js";
import { devEnvironment, drainSeconds } from "./environment.js";
import type { Prepared } from "./prepare.js";

/** Beyond its own time for finishing requests, what a service may take to end. */
const patienceSeconds = 3;
const keptLines = 200;

export interface ServiceOptions {
  env: NodeJS.ProcessEnv;
  host: string;
  port: number;
  onLog: (line: OutputLine) => void;
}

/** A service on this machine, in a process of its own. */
export interface Service {
  /** Resolves when it has ended, of itself or because it was stopped. */
  ended: Promise<void>;
  /** How it ended; `undefined` while it runs. */
  ending: () => Ending | undefined;
  /** Lets it finish its requests. */
  stop: () => Promise<void>;
  kill: () => void;
}

/** The Node that runs modelship, which runs the service for Node as well. */
function nodeCommand(): [string, ...string[]] {
  const main = packagePath("dist/service-node/main.js");
  return [process.execPath, "--disable-warning=ExperimentalWarning", main];
}

export function startService(prepared: Prepared, { env, host, port, onLog }: ServiceOptions): Service {
  const { project, virtualenv, files, given } = prepared;
  const { config, root } = project;
  const environment = devEnvironment({ config, virtualenv, files, given, env, host, port });
  const lines: OutputLine[] = [];
  let ending: Ending | undefined;
  const [file, ...args] = virtualenv ? [virtualenv.python, "-m", "modelship_service"] : nodeCommand();
  const child = start(file, args, {
    cwd: root,
    env: environment,
    onLine(line) {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
      onLog(line);
    },
  });
  const ended = child.ended.then(({ exitCode, problem = "" }) => {
    ending = { state: { exitCode, oomKilled: false, error: problem }, lines };
  });
  const seconds = patienceSeconds + (Number(environment.MODELSHIP_DRAIN_S) || drainSeconds);
  return {
    ended,
    ending: () => ending,
    async stop() {
      child.terminate();
      await Promise.race([ended, sleep(seconds * 1000, undefined, { ref: false })]);
      child.kill();
      await ended;
    },
    kill: child.kill,
  };
}
