import { dirname, delimiter as separator } from "node:path";
import type { Environment } from "../deploy/environment.js";
import { serviceSettings } from "../image/service-settings.js";
import type { ProjectConfig } from "../project/schema.js";
import { serviceSource } from "./requirements-key.js";
import type { Virtualenv } from "./virtualenv.js";

export interface EnvironmentInput {
  config: ProjectConfig;
  /** `undefined` where Node serves the project. */
  virtualenv: Pick<Virtualenv, "folder" | "python"> | undefined;
  /** Where the model files are. */
  files: string;
  /** What the user gives the service. */
  given: Environment;
  env: NodeJS.ProcessEnv;
  host: string;
  port: number;
}

/** Seconds that a service gets to finish its requests; somebody waits for the next one. */
export const drainSeconds = 2;

/** What this shell holds of another Python, or for modelship itself, does not reach the service. */
const notPassedOn = /^(MODELSHIP_.*|PYTHONPATH|PYTHONHOME|VIRTUAL_ENV)$/;

/** The environment of the service: this shell's, with what an image would set. */
export function devEnvironment(input: EnvironmentInput): NodeJS.ProcessEnv {
  const { config, virtualenv, files, given, env, host, port } = input;
  const passedOn = Object.entries(env).filter(([name]) => !notPassedOn.test(name));
  return {
    ...Object.fromEntries(passedOn),
    ...(virtualenv && {
      VIRTUAL_ENV: virtualenv.folder,
      PATH: [dirname(virtualenv.python), env.PATH].filter(Boolean).join(separator),
      PYTHONPATH: serviceSource,
      PYTHONUNBUFFERED: "1",
      // No caches beside the user's code, and never an old one where two saves fall into one second.
      PYTHONDONTWRITEBYTECODE: "1",
    }),
    ...serviceSettings(config, files),
    // Here only this machine asks, so that a key that is not at hand need not be.
    ...(!has(given, config.service.auth.keys_env) && { MODELSHIP_KEYS_ENV: undefined }),
    MODELSHIP_DRAIN_S: String(drainSeconds),
    ...Object.fromEntries(given),
    MODELSHIP_HOST: host,
    MODELSHIP_PORT: String(port),
    MODELSHIP_END_WITH_STDIN: "1",
  };
}

function has(given: Environment, keysEnv: string | null): boolean {
  return keysEnv !== null && given.has(keysEnv);
}
