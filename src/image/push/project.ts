import { bytesBlob } from "../../registry/file-blob.js";
import { type Digests, openDigests } from "../../weights/digests.js";
import { type Layer, openLayers } from "../../weights/layer.js";
import type { Attachment } from "../attest/attach.js";
import { type CodeImageBuild, codeImage, openProject } from "../code-image.js";
import { graftConfig } from "../graft/config.js";
import { graftLabels } from "../graft/labels.js";
import { graftManifest } from "../graft/manifest.js";
import { modelLayers } from "../model-layers.js";
import type { BuildOptions } from "../prepare.js";
import { sendCode } from "./code.js";
import { pushDocuments } from "./documents.js";
import type { FaceKind } from "./face-kinds.js";
import { sendFaces } from "./faces.js";
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
  const opened = await openProject(options);
  const { project, content } = opened.prepared;
  const digests = await openDigests(options.env);
  const layers = await openLayers(modelLayers(content.model), digests, { ownDigests: extras.documents });
  // Once for all targets. Each of them hears of its failure; nobody else needs to.
  const building = codeImage(options, opened);
  building.catch(() => {});
  return {
    version: project.config.version,
    repository: project.config.image.repository,
    async ship(target) {
      const sendingCode = building.then(({ engine, image }) => sendCode(target, engine, image, options));
      const [code, weights, built] = await Promise.all([
        stopping(target, sendingCode),
        stopping(target, sendWeights(target, layers)),
        building,
      ]);
      await digests.save();
      const config = graftConfig(code.config, weights, graftLabels(built.plan.key, weights));
      const manifest = graftManifest(code.manifest, config, weights);
      const { mediaType } = manifest.config;
      await target.send(bytesBlob(config, { title: "Configuration", mediaType }));
      return {
        manifest,
        faces: await sendFaces(target, extras.faces, built, code, weights),
        documents: extras.documents ? await documents(target, manifest.digest, built, layers, digests) : [],
      };
    },
  };
}

async function documents(
  target: Target,
  digest: string,
  built: CodeImageBuild,
  layers: readonly Layer[],
  digests: Digests,
): Promise<Attachment[]> {
  const files = (await Promise.all(layers.map((layer) => layer.digestedFiles()))).flat();
  await digests.save();
  return pushDocuments(target, digest, built, files);
}
