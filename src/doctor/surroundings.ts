import { isUserError } from "../errors.js";
import { loadProject, type Project } from "../project/load.js";

export interface DoctorOptions {
  cwd: string;
  env: NodeJS.ProcessEnv;
  dir?: string | undefined;
  host?: string | undefined;
  context?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface Settled<T> {
  value: T | undefined;
  /** The value, or throws what went wrong. */
  get: () => T;
}

export async function settle<T>(work: () => Promise<T>): Promise<Settled<T>> {
  try {
    const value = await work();
    return { value, get: () => value };
  } catch (error) {
    return {
      value: undefined,
      get: () => {
        throw error;
      },
    };
  }
}

/** Outside a project the machine can still be examined. */
export async function findProject(options: DoctorOptions): Promise<Project | undefined> {
  try {
    return await loadProject(options);
  } catch (error) {
    if (options.dir === undefined && isUserError(error) && error.code === "project_not_found")
      return undefined;
    throw error;
  }
}
