import { isUserError, messageOf } from "../errors.js";

export type CheckName =
  | "engine"
  | "builder"
  | "storage"
  | "disk"
  | "gpu"
  | "network"
  | "base image"
  | "credentials"
  | "project"
  | "driver"
  | "capability"
  | "toolkit"
  | "devices"
  | "image";

/** One line of `modelship doctor`. */
export interface Check {
  name: CheckName;
  /** `failed`: something that is needed is missing. `warning`: it works, but look. `skipped`: it cannot be known here. */
  status: "ok" | "warning" | "failed" | "skipped";
  message: string;
  hint?: string | undefined;
  /** Exit code that a failure asks for. */
  exitCode?: number;
}

/** A check that throws has failed, with the error's own words. */
export async function check(name: CheckName, work: () => Promise<Omit<Check, "name">>): Promise<Check> {
  try {
    return { name, ...(await work()) };
  } catch (error) {
    if (!isUserError(error)) return { name, status: "failed", message: messageOf(error), exitCode: 1 };
    const message = error.why ? `${error.message} ${error.why}` : error.message;
    return { name, status: "failed", message, hint: error.hint, exitCode: error.exitCode };
  }
}
