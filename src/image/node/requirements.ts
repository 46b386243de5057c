import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemCode, UserError } from "../../errors.js";
import type { Project } from "../../project/load.js";
import { entryFiles } from "../context.js";
import type { Requirements } from "../requirements.js";

const manifest = "package.json";
const lock = "package-lock.json";

/** Reads what a project of the Node runtime installs. Throws UserError `project_file` where it cannot be built. */
export async function readNodeRequirements({ root, config, origins }: Project): Promise<Requirements> {
  const foreign = entryFiles(config.model.entry).find((file) => file.endsWith(".py"));
  if (foreign) {
    throw new UserError("project_file", `Node does not run ${foreign}.`, {
      why: "modelship.yaml says `runtime: node`, and `model.entry` names a Python file.",
      hint: "Name a class in a .ts or .js file, or onnx, in `model.entry`; or set `runtime: python`.",
    });
  }
  if ((origins.requirements?.from ?? "default") !== "default") {
    throw new UserError(
      "project_file",
      "`requirements` is for Python, and the project says `runtime: node`.",
      {
        hint: `List the packages in ${manifest}, and take \`requirements\` out of modelship.yaml.`,
      },
    );
  }
  if (config.accelerator === "cuda") {
    throw new UserError("project_file", "The Node runtime computes on the CPU alone.", {
      why: "modelship.yaml says `accelerator: cuda`.",
      hint: "Set `accelerator: cpu`, or serve the model with `runtime: python`.",
    });
  }
  await readJson(root, manifest, "Create it with `npm init`, and add onnxruntime-node to its dependencies.");
  const { lockfileVersion } = await readJson(
    root,
    lock,
    "Write it with `npm install`: without it two builds of the same project can install different packages.",
  );
  if (typeof lockfileVersion !== "number" || lockfileVersion < 2) {
    throw new UserError("project_file", `${lock} is of an npm that is too old.`, {
      hint: "Write it again with npm 7 or later: `npm install --package-lock-only`.",
    });
  }
  return { install: { kind: "npm" }, paths: [manifest, lock], required: [], namesIndex: false };
}

async function readJson(root: string, file: string, hint: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(join(root, file), "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT")
      throw new UserError("project_file", `There is no ${file} in the project.`, { hint });
    throw new UserError("file_failed", `${file} cannot be read.`, {
      why: (error as Error).message,
      cause: error,
    });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // It is told below, as any other text that is no object.
  }
  throw new UserError("project_file", `${file} is not valid JSON.`, { hint: "`npm install` writes it." });
}
