import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { detectModel } from "../../../src/detect/detect.js";
import type { Detected } from "../../../src/detect/detected.js";

const models = fileURLToPath(new URL("../../fixtures/models/", import.meta.url));

/** Path of a model that a real library wrote. */
export function fixture(name: string): string {
  return join(models, name);
}

/** A copy that the test may change. */
export function copyOf(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), "modelship-model-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, name.split("/").at(-1) ?? "model");
  cpSync(fixture(name), path, { recursive: true });
  return path;
}

/** The only model that is found there, with its files relative to `path`. */
export async function detected(path: string): Promise<Detected> {
  const { found } = await detectModel(path);
  const [model] = found;
  if (!model || found.length > 1) throw new Error(`found ${found.length} models in ${path}`);
  return { ...model, files: model.files.map((file) => relative(path, file).replaceAll("\\", "/")) };
}
