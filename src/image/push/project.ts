import { type Digests, openDigests } from "../../weights/digests.js";
import { type Layer, openLayers } from "../../weights/layer.js";
import type { Attachment } from "../attest/attach.js";
import type { CodeImageBuild } from "../code-image.js";
import { modelLayers } from "../model-layers.js";
import type { BuildOptions } from "../prepare.js";
import { assemble, type SentCode } from "./assemble.js";
import { sendCode } from "./code.js";
import { pushDocuments } from "./documents.js";
import type { FaceKind } from "./face-kinds.js";
import { sendFaces } from "./faces.js";
import { buildPlatforms } from "./platforms.js";
import { type Shipment, stopping } from "./shipment.js";
import type { Target } from "./target.js";
import { sendWeights } from "./weights.js";

/**
 * A project on its way to registries: the weights go straight from their files while the code image is built, its
 * layers follow as they are ready, then what names them all. The engine never holds the weights for it.
 */
export async function projectShipment(
  options: BuildOptions,
  extras: { faces: readonly FaceKind[]; documents: boolean },
): Promise<Shipment> {
  const { prepared, building } = await buildPlatforms(options);
  const { project, content } = prepared;
  const digests = await openDigests(options.env);
  const layers = await openLayers(modelLayers(content.model), digests, { ownDigests: extras.documents });
  return {
    version: project.config.version,
    repository: project.config.image.repository,
    async ship(target) {
      const sendingCode = async (building: Promise<CodeImageBuild>): Promise<SentCode> => {
        const built = await building;
        return { built, code: await sendCode(target, built.engine, built.image, options) };
      };
      const digesting = extras.documents ? stopping(target, digestRemembered(layers)) : undefined;
      digesting?.catch(() => {}); // awaited with the others
      const [weights, first, ...others] = await Promise.all([
        stopping(target, sendWeights(target, layers)),
        stopping(target, sendingCode(building[0])),
        ...building.slice(1).map((one) => stopping(target, sendingCode(one))),
      ]);
      await digesting;
      await digests.save();
      const manifest = await assemble(target, [first, ...others], weights);
      return {
        manifest,
        faces: await sendFaces(target, extras.faces, first.built, first.code, weights),
        documents: extras.documents
          ? await documents(
              target,
              manifest.digest,
              [first.built, ...others.map(({ built }) => built)],
              layers,
              digests,
            )
          : [],
      };
    },
  };
}

/** Sending hashes nothing of a layer whose digest is remembered: its files are digested meanwhile. */
async function digestRemembered(layers: readonly Layer[]): Promise<void> {
  const remembered = layers.filter(({ digest }) => digest !== undefined);
  await Promise.all(remembered.map((layer) => layer.digestedFiles()));
}

async function documents(
  target: Target,
  digest: string,
  builds: readonly [CodeImageBuild, ...CodeImageBuild[]],
  layers: readonly Layer[],
  digests: Digests,
): Promise<Attachment[]> {
  const files = (await Promise.all(layers.map((layer) => layer.digestedFiles()))).flat();
  await digests.save();
  return pushDocuments(target, digest, builds, files);
}
