import { isUserError } from "../errors.js";
import { RegistryClient } from "../registry/client.js";
import { formatReference, parseReference } from "../registry/reference.js";
import { readVerifyingKey } from "./attest/key.js";
import type { BuildOptions, Prepared } from "./prepare.js";
import { prepareBuild } from "./prepare.js";
import { type CheckName, type VerifyCheck, verdict } from "./verify/check.js";
import { describeImages, namedImages } from "./verify/images.js";
import { checkLayers } from "./verify/layers.js";
import { checkContext, checkName, checkWeights, localWeights } from "./verify/project.js";
import { describeProvenance, type FoundProvenance, findProvenance } from "./verify/provenance.js";
import { checkSignature } from "./verify/signature.js";

export interface VerifyOptions
  extends Pick<BuildOptions, "cwd" | "dir" | "env" | "base" | "report" | "signal"> {
  /** `registry.example/you/digits@sha256:...` */
  reference: string;
  /** Path of a public key. */
  key?: string | undefined;
  /** Read every layer again. */
  deep?: boolean;
  /** Leave the project out, also where there is one. */
  imageOnly?: boolean;
  insecure?: boolean | undefined;
}

export interface Verification {
  /** By its digest. */
  reference: string;
  digest: string;
  ok: boolean;
  checks: readonly VerifyCheck[];
}

/**
 * Compares an image in a registry with what its digests say, with a signature, and with the project that it was built
 * from. What is wrong with the image is in the checks; throws UserError where it cannot be looked at.
 */
export async function verifyImage(options: VerifyOptions): Promise<Verification> {
  const { env, insecure, signal } = options;
  const reference = parseReference(options.reference);
  const key = options.key === undefined ? undefined : await readVerifyingKey(options.key);
  const prepared = options.imageOnly ? undefined : await findProject(options);
  const { registry, repository } = reference;
  const client = new RegistryClient(registry, { env, insecure, signal });
  try {
    const named = await namedImages(client, reference);
    const { digest } = named.subject;
    const { report, deep = false } = options;
    let found: FoundProvenance | undefined;
    const checks = [
      await verdict("manifest", async () => describeImages(named)),
      await verdict("layers", () => checkLayers(client, repository, named.images, { deep, report, signal })),
      await verdict("signature", () => checkSignature(client, repository, digest, key)),
      await verdict("provenance", async () => {
        found = await findProvenance(client, repository, digest, key);
        return describeProvenance(found, key !== undefined, prepared !== undefined);
      }),
      ...(prepared
        ? await projectChecks(prepared, named.images, found, options)
        : [skipped("project", options.imageOnly ? "left out" : "no project here")]),
    ];
    return {
      reference: formatReference({ registry, repository, digest }),
      digest,
      ok: checks.every(({ status }) => status !== "failed"),
      checks,
    };
  } finally {
    client.close();
  }
}

async function projectChecks(
  prepared: Prepared,
  images: Awaited<ReturnType<typeof namedImages>>["images"],
  found: FoundProvenance | undefined,
  { env, signal }: VerifyOptions,
): Promise<VerifyCheck[]> {
  const project: VerifyCheck = { name: "project", ...checkName(prepared, images) };
  const local = await localWeights(prepared, env, signal);
  const weights: VerifyCheck = { name: "weights", ...checkWeights(local, images, found) };
  if (!found) {
    const unknown = (["code", "requirements", "base"] as const).map((name) =>
      skipped(name, "without provenance there is nothing to compare with"),
    );
    return [project, weights, ...unknown];
  }
  const { code, requirements, base } = checkContext(prepared, found, images);
  return [
    project,
    weights,
    { name: "code", ...code },
    { name: "requirements", ...requirements },
    { name: "base", ...base },
  ];
}

function skipped(name: CheckName, message: string): VerifyCheck {
  return { name, status: "skipped", message };
}

/** Outside a project an image can still be looked at. */
async function findProject(options: VerifyOptions): Promise<Prepared | undefined> {
  try {
    // What goes into a build is the same for all platforms.
    return await prepareBuild({ ...options, platform: "linux/amd64" });
  } catch (error) {
    if (options.dir === undefined && isUserError(error) && error.code === "project_not_found")
      return undefined;
    throw error;
  }
}
