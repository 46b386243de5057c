import { isUserError, type UserError } from "../../errors.js";

export type CheckName =
  | "manifest"
  | "layers"
  | "signature"
  | "provenance"
  | "weights"
  | "code"
  | "requirements"
  | "base"
  | "project";

/** One line of `modelship verify`. */
export interface VerifyCheck {
  name: CheckName;
  /** `warning`: nothing is wrong, but less is proven than could be. `skipped`: nobody asked, or there is nothing to compare with. */
  status: "ok" | "warning" | "failed" | "skipped";
  message: string;
  hint?: string | undefined;
  /** What exactly: a file in each. */
  details?: readonly string[] | undefined;
}

export type CheckResult = Omit<VerifyCheck, "name">;

/** What a registry keeps wrongly is a verdict; that it cannot be asked is an error. */
export async function verdict(name: CheckName, work: () => Promise<CheckResult>): Promise<VerifyCheck> {
  try {
    return { name, ...(await work()) };
  } catch (error) {
    if (!isUserError(error) || !isVerdict(error)) throw error;
    const { message, why, hint } = error;
    return { name, status: "failed", message: why === undefined ? message : `${message} ${why}`, hint };
  }
}

/** Whatever has a cause is a failure on the way; the rest is about what was read. */
function isVerdict({ code, cause }: UserError): boolean {
  return code === "registry_failed" && cause === undefined;
}

const mostDetails = 50;

/** Names the files in which two lists differ; `undefined` where they do not. */
export function differences(
  ours: ReadonlyMap<string, string>,
  theirs: ReadonlyMap<string, string>,
): string[] | undefined {
  const paths = [...new Set([...ours.keys(), ...theirs.keys()])].sort();
  const found = paths.flatMap((path) => {
    const here = ours.get(path);
    const there = theirs.get(path);
    if (here === there) return [];
    if (there === undefined) return [`${path} is not in the image`];
    return [here === undefined ? `${path} is only in the image` : `${path} differs`];
  });
  if (found.length === 0) return undefined;
  const more = found.length - mostDetails;
  return more > 0 ? [...found.slice(0, mostDetails), `and ${more} more`] : found;
}

export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
