import type { Engine } from "../docker/client.js";
import { UserError } from "../errors.js";
import { Label } from "../image/label-names.js";
import type { Project } from "../project/load.js";
import { remoteHost } from "./address.js";
import { namedImage, projectImage, projectWeights, type ServiceImage, type Weights } from "./image.js";
import type { RunOptions } from "./run-options.js";
import type { ContainerPlan } from "./spec.js";
import { WeightsNotSeen } from "./start.js";

/** What a container is started from. */
export interface Prepared {
  image: ServiceImage;
  /** What has to be mounted. */
  weights: Weights | undefined;
}

/** The image, and the model files where it does not hold them. */
export async function prepare(
  engine: Engine,
  project: Project | undefined,
  options: RunOptions,
  mustBake = false,
): Promise<Prepared> {
  if (!project) {
    return { image: await namedImage(engine, options.image ?? "", options), weights: undefined };
  }
  const weights = await projectWeights(project);
  const remote = remoteHost(engine.endpoint) !== undefined;
  if (!mustBake && !remote && !weights.readable && options.build) {
    options.report({
      type: "note",
      message: `Not everyone may read ${weights.source}, and the service runs as nobody in particular: the model files go into the image instead of being mounted. \`chmod -R a+rX\` on that folder avoids it.`,
    });
  }
  const bake = mustBake || remote || !weights.readable;
  const image = await projectImage(engine, project, { build: options.build, bake }, options);
  return { image, weights: image.labels[Label.weights] === "mounted" ? weights : undefined };
}

/** Where the image cannot be replaced by one that holds the files, the user has to know. */
export function weightsError(error: unknown, prepared: Prepared): unknown {
  if (!(error instanceof WeightsNotSeen)) return error;
  return new UserError(
    "model_files",
    `The engine does not see the model files at ${prepared.weights?.source}.`,
    {
      why: error.message || "It is on another machine, or in a virtual machine that shares no such folder.",
      hint: "Build an image that holds them with `modelship build`, and run that.",
      cause: error,
    },
  );
}

export function imagePart({
  image,
  weights,
}: Prepared): Pick<ContainerPlan, "image" | "imageName" | "digest" | "weights" | "files"> {
  return {
    image: image.id,
    imageName: image.name,
    digest: image.digest,
    files: image.labels[Label.files],
    weights: weights && { source: weights.source, target: image.labels[Label.files] ?? weights.target },
  };
}
