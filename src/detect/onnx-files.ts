import { realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UserError } from "../errors.js";
import { damaged } from "./damaged.js";
import { oneLine } from "./one-line.js";
import { SourceFile } from "./source.js";

/**
 * The files that hold a model's weights, absolute. A path in a model is data of whoever made it: it may not lead out of
 * the model's folder, neither as it is written nor through links. Throws UserError `model_file`.
 */
export async function externalFiles(path: string, external: ReadonlyMap<string, number>): Promise<string[]> {
  const files: string[] = [];
  for (const [location, size] of external) {
    const parts = location.split("/");
    if (/[\\\0:]/.test(location) || parts.some((part) => part === ".." || part === "")) {
      throw new UserError("model_file", "The model's weights are outside of its folder.", {
        why: `It asks for ${JSON.stringify(oneLine(location, 120))}, and only files in its own folder are read.`,
        hint: "Save the model with its external data beside it.",
      });
    }
    const file = join(dirname(path), ...parts);
    await requireSize(path, file, location, size);
    if (!files.includes(file)) files.push(file);
  }
  return files;
}

async function requireSize(path: string, file: string, location: string, size: number): Promise<void> {
  let opened: SourceFile;
  try {
    opened = await SourceFile.open(file);
  } catch (error) {
    throw new UserError(
      "model_file",
      `A file with the model's weights cannot be read: ${oneLine(location, 120)}.`,
      {
        why: error instanceof UserError ? error.why : undefined,
        hint: "Put it beside the model, under the name that it had when the model was saved.",
        cause: error,
      },
    );
  }
  const actual = opened.size;
  await opened.close();
  if (actual < size) {
    throw damaged(
      path,
      `${oneLine(location, 120)} has ${actual} bytes, and the weights go on until ${size}.`,
    );
  }
  await requireInside(path, file, location);
}

/** A hub's cache has links to the model and its weights in one other folder: what counts is that they stay together. */
async function requireInside(path: string, file: string, location: string): Promise<void> {
  const [folder, real, model] = await Promise.all([realpath(dirname(path)), realpath(file), realpath(path)]);
  const isIn = (inner: string, outer: string): boolean =>
    inner.startsWith(outer.endsWith("/") ? outer : `${outer}/`);
  const slashes = (text: string): string => text.replaceAll("\\", "/");
  if (isIn(slashes(real), slashes(folder)) || isIn(slashes(real), slashes(dirname(model)))) return;
  throw new UserError("model_file", "The model's weights are outside of its folder.", {
    why: `${oneLine(location, 120)} is a link that leads out of it.`,
    hint: "Put the file itself beside the model.",
  });
}
