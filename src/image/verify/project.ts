import { packageVersion } from "../../package.js";
import { openDigests } from "../../weights/digests.js";
import { openLayers } from "../../weights/layer.js";
import type { DigestedFile, WeightLayer } from "../../weights/layers.js";
import { dockerPurl } from "../attest/purl.js";
import { Label } from "../label-names.js";
import { modelLayers } from "../model-layers.js";
import type { Prepared } from "../prepare.js";
import type { RemoteImage } from "../remote/read.js";
import { type RemoteWeights, weightsOf } from "../remote/weights.js";
import { type CheckResult, count, differences } from "./check.js";
import type { FoundProvenance } from "./provenance.js";

/** A weight layer of this machine's files. */
export interface LocalLayer extends WeightLayer {
  files: readonly DigestedFile[];
}

/** The weight layers as this machine's files give them; read only where their digests are not remembered. */
export async function localWeights(
  { content }: Prepared,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<LocalLayer[]> {
  const digests = await openDigests(env);
  const layers = await openLayers(modelLayers(content.model), digests, { ownDigests: true });
  const known = await Promise.all(
    layers.map(async (layer) => ({
      ...(await layer.known({ signal })),
      files: await layer.digestedFiles(),
    })),
  );
  await digests.save();
  return known;
}

export function checkName({ project }: Prepared, images: readonly RemoteImage[]): CheckResult {
  const { name, version } = project.config;
  const labels = images[0]?.config.config?.Labels ?? {};
  const theirs = [labels[Label.name], labels[Label.version]];
  if (theirs[0] === undefined) {
    return { status: "failed", message: "the image was not built by modelship" };
  }
  if (theirs[0] !== name || theirs[1] !== version) {
    return {
      status: "failed",
      message: `the image is ${theirs.join(" ")}, the project ${name} ${version}`,
      hint: "Verify it in the project that it was built from, or with --image-only.",
    };
  }
  return { status: "ok", message: `${name} ${version}` };
}

/** Weights are the last layers of an image: nothing lies over them that could replace a file. */
export function checkWeights(
  local: readonly LocalLayer[],
  images: readonly RemoteImage[],
  found: FoundProvenance | undefined,
): CheckResult {
  const wanted = local.map(({ digest }) => digest);
  const files = local.flatMap((layer) => layer.files);
  const wrong = images.find(({ manifest, config }) => {
    const layers = manifest.layers.slice(-wanted.length).map(({ digest }) => digest);
    const content = config.rootfs.diff_ids.slice(-wanted.length);
    return wanted.some((digest, at) => layers[at] !== digest || content[at] !== digest);
  });
  if (!wrong) {
    const message = `${count(files.length, "file")} in ${count(wanted.length, "layer")}: as they are here`;
    return { status: "ok", message };
  }
  const layers = weightsOf(wrong);
  if (layers.length === 0) return { status: "failed", message: "the image holds no model files" };
  const details = differences(...filesToCompare(local, layers, found));
  return {
    status: "failed",
    message: details
      ? "the model files are not those that are here"
      : "the layers are not those of the files here",
    details,
  };
}

type Files = ReadonlyMap<string, string>;

/** A manifest may not name all the files of its layers; then the provenance does, or only what is named counts. */
function filesToCompare(
  local: readonly LocalLayer[],
  layers: readonly RemoteWeights[],
  found: FoundProvenance | undefined,
): [Files, Files] {
  const files = local.flatMap((layer) => layer.files);
  if (found && found.statement.weights.size > 0) {
    return [new Map(files.map(({ path, digest }) => [path, digest])), found.statement.weights];
  }
  // A file alone in its layer goes by the layer's digest.
  const ours = new Map(
    local.flatMap((layer) =>
      layer.files.map(
        ({ path, digest }) => [path, layer.files.length === 1 ? layer.digest : digest] as const,
      ),
    ),
  );
  const named = new Map(
    layers.flatMap(({ layer, files }) =>
      files.map(({ path, digest }) => [path, digest ?? layer.digest] as const),
    ),
  );
  const complete = layers.every((layer) => layer.files.length === layer.count);
  return [complete ? ours : new Map([...ours].filter(([path]) => named.has(path))), named];
}

export interface ContextChecks {
  code: CheckResult;
  requirements: CheckResult;
  base: CheckResult;
}

/** What the image says that it was built from, against what it would be built from here. */
export function checkContext(
  prepared: Prepared,
  found: FoundProvenance,
  images: readonly RemoteImage[],
): ContextChecks {
  const { statement } = found;
  const local = new Map(prepared.input.context.map(({ path, digest }) => [path, digest]));
  const compare = (what: string, folders: readonly string[]): CheckResult => {
    const inside = ([path]: [string, string]) => folders.some((folder) => path.startsWith(`${folder}/`));
    const ours = new Map([...local].filter(inside));
    const details = differences(ours, new Map([...statement.context].filter(inside)));
    if (!details) return { status: "ok", message: `${count(ours.size, "file")}: as they are here` };
    const { modelship } = statement;
    const other = modelship !== undefined && modelship !== packageVersion();
    return {
      status: "failed",
      message: `the ${what} is not what is here`,
      ...(other && { hint: `It was built with modelship ${modelship}; this is ${packageVersion()}.` }),
      details,
    };
  };
  return {
    code: compare("code", ["app", "service", "ca"]),
    requirements: compare("lock of requirements", ["requirements", "runtime"]),
    base: checkBase(prepared, found, images),
  };
}

function checkBase(
  { decision }: Prepared,
  { statement: { base } }: FoundProvenance,
  images: readonly RemoteImage[],
): CheckResult {
  const { reference } = decision;
  const labels = images[0]?.config.config?.Labels ?? {};
  const told = labels["org.opencontainers.image.base.digest"];
  if (base?.uri !== dockerPurl(reference, base?.digest)) {
    return {
      status: "failed",
      message: `the base image is ${base?.uri ?? "unknown"}, the project's ${reference}`,
      hint: "Name the base of that build with --base.",
    };
  }
  if (told !== base.digest) {
    return {
      status: "failed",
      message: `the image says ${told ?? "nothing"}, its provenance ${base.digest ?? "nothing"}`,
    };
  }
  if (base.digest === undefined) {
    return { status: "warning", message: `${reference}; it came from no registry, so it has no digest` };
  }
  return { status: "ok", message: `${reference}, ${base.digest}` };
}
