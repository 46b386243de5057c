import type { Engine } from "../../docker/client.js";
import { type ImageDocument, type ImageStep, imageDocument } from "../../docker/image-document.js";
import type { ConfigDocument, HistoryItem } from "./model.js";

/**
 * The configuration of an engine's image, written from what the engine tells of it: the bytes themselves come only
 * with all layers. The same image gives the same document.
 */
export async function codeConfig(engine: Engine, image: { id: string }): Promise<ConfigDocument> {
  return configOf(await imageDocument(engine, image.id));
}

export function configOf(image: ImageDocument): ConfigDocument {
  const history = historyOf(image.history, image.layers.length);
  return {
    ...(image.created !== "" && { created: image.created }),
    ...(image.author !== "" && { author: image.author }),
    architecture: image.architecture,
    ...(image.variant !== "" && { variant: image.variant }),
    os: image.os,
    config: image.config,
    rootfs: { type: "layers", diff_ids: image.layers },
    ...(history && { history }),
  };
}

/** Which steps made the layers: the first of these that gives as many as there are layers. */
const readings: readonly ((step: ImageStep) => boolean)[] = [
  (step) => step.empty === false,
  (step) => step.size > 0,
  (step) => step.size > 0 || /^(RUN|COPY|ADD)$/.test(instructionOf(step)),
  // BuildKit makes a layer of it even where the folder was there.
  (step) => step.size > 0 || /^(RUN|COPY|ADD|WORKDIR)$/.test(instructionOf(step)),
];

function historyOf(steps: readonly ImageStep[], layers: number): HistoryItem[] | undefined {
  const madeLayer = readings.find((reading) => steps.filter(reading).length === layers);
  return (
    madeLayer &&
    steps.map((step) => ({
      created: step.created,
      ...(step.createdBy !== "" && { created_by: step.createdBy }),
      ...(step.comment !== "" && { comment: step.comment }),
      ...(!madeLayer(step) && { empty_layer: true }),
    }))
  );
}

/** As the builders note it: `COPY a b # buildkit`, `/bin/sh -c #(nop) COPY file:... in b`, `/bin/sh -c make`. */
function instructionOf({ createdBy }: ImageStep): string {
  const noted = /#\(nop\)\s*(\w+)/.exec(createdBy)?.[1];
  if (noted !== undefined) return noted;
  return /^(\|\d+ |\/bin\/sh -c )/.test(createdBy) ? "RUN" : (/^\w+/.exec(createdBy)?.[0] ?? "");
}
