import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { cacheFolder } from "../cache.js";
import { UserError } from "../errors.js";
import { readIgnoreRules } from "../project/ignore.js";
import { bytesBlob } from "../registry/file-blob.js";
import { digestOf } from "../registry/manifest.js";
import { formatReference, parseReference } from "../registry/reference.js";
import { silent, task } from "../reporter.js";
import { codeImage, openProject } from "./code-image.js";
import { exportImage } from "./export.js";
import { codeConfig } from "./graft/code-config.js";
import { graftConfig } from "./graft/config.js";
import { graftedKey, graftLabels } from "./graft/labels.js";
import { graftManifest } from "./graft/manifest.js";
import { readWeights } from "./known-weights.js";
import { type LayoutKind, type WrittenLayout, writeLayout } from "./layout/write.js";
import type { BuildOptions } from "./prepare.js";
import { defaultTags } from "./tags.js";

export interface OutputOptions extends BuildOptions {
  output: {
    kind: LayoutKind;
    /** A folder or a file; relative to `cwd`. */
    path: string;
  };
}

export interface OutputResult extends WrittenLayout {
  tags: readonly string[];
  key: string;
  seconds: number;
}

/**
 * Writes the project's image, weights and all, to a folder or a file, for a place without a registry in reach. The
 * engine builds the code image and never gets the weights. Throws UserError.
 */
export async function outputImage(options: OutputOptions): Promise<OutputResult> {
  const started = performance.now();
  const { env, output, report, signal } = options;
  const opened = await openProject(options);
  const { project, content, input } = opened.prepared;
  const path = resolve(options.cwd, output.path);
  await refuseInside(project.root, path);
  const tags = input.tags.length > 0 ? input.tags : defaultTags(project.config, input.revision);
  const reading = readWeights(content.model, options);
  reading.catch(() => {});
  const { engine, image, plan } = await codeImage(options, opened);
  const written = engine.info.store === "containerd" ? undefined : await codeConfig(engine, image);
  const code = await task(report, "export", "Read the code image", () =>
    exportImage(engine, image, {
      spool: join(cacheFolder(env), "spool"),
      has: async () => undefined,
      report: silent,
      signal,
    }),
  );
  const weights = await reading;
  const config = graftConfig(written ?? code.config, weights, graftLabels(plan.key, weights));
  const { mediaType, body, config: described } = graftManifest(code.manifest, config, weights);
  const layout = await task(report, "write", `Write ${output.path}`, () =>
    writeLayout(
      output.kind,
      path,
      {
        names: tags.map((tag) => formatReference(parseReference(tag))),
        manifest: { mediaType, body },
        blobs: [
          bytesBlob(config, { title: digestOf(config), mediaType: described.mediaType }),
          ...code.layers,
          ...weights.map(({ blob }) => blob),
        ],
      },
      { signal },
    ),
  );
  const layers = weights.map(({ digest }) => digest);
  const seconds = (performance.now() - started) / 1000;
  return { ...layout, tags, key: graftedKey(plan.key, layers), seconds };
}

/** What lies in the project becomes part of its next image. */
async function refuseInside(root: string, path: string): Promise<void> {
  const inside = relative(root, path).split(sep).join("/");
  if (inside.startsWith("../") || isAbsolute(inside)) return;
  if (inside !== "" && inside !== ".." && (await readIgnoreRules(root)).ignores(inside)) return;
  throw new UserError("usage", `${path} lies in the project.`, {
    why: "The next image would hold it, as it holds everything that .dockerignore does not list.",
    hint: `Write it elsewhere, or list \`${inside || "it"}\` in .dockerignore.`,
  });
}
