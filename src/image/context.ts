import { createHash } from "node:crypto";
import { join, posix } from "node:path";
import type { ContextFile } from "../docker/context-file.js";
import { UserError } from "../errors.js";
import { packagePath } from "../package.js";
import { listFiles, type ProjectFile } from "../project/files.js";
import { readIgnoreRules } from "../project/ignore.js";
import type { Project } from "../project/load.js";
import type { Digests } from "../weights/digests.js";
import { nodeRuntime } from "./node/runtime.js";

/** A context file whose content is known by its digest, so that a build has a key before it starts. */
export interface KeyedFile extends ContextFile {
  /** `sha256:<hex>` of the content. */
  digest: string;
}

/** The model files of a project: where they are, and where they go. */
export interface ModelFiles {
  files: readonly ProjectFile[];
  /** Absolute path in the container that `load(files)` receives. */
  containerPath: string;
  /** Path on this machine to mount there. */
  hostPath: string;
  /** Sum of the sizes in bytes. */
  bytes: number;
}

export interface ProjectContent {
  code: readonly ProjectFile[];
  model: ModelFiles;
}

/** Where the user's code and model files are in the container. */
export const appFolder = "/app";

/** The files of the entry's classes; a model without code has none. */
export function entryFiles(entry: string): string[] {
  const entries = entry.split(",").map((part) => part.trim().replace(/^v\d+=/, ""));
  return entries.filter((one) => one !== "onnx").map((one) => one.split(":")[0] ?? "");
}

/** Lists code and model files apart. Throws UserError `model_files` when there is nothing to serve. */
export async function readProjectContent(project: Project): Promise<ProjectContent> {
  const rules = await readIgnoreRules(project.root);
  const setting = posix.normalize(project.config.model.files).replace(/\/$/, "");
  const everything = await listFiles(project.root, "", rules);
  const isModel = (path: string) => path === setting || path.startsWith(`${setting}/`);
  const files = everything.filter((file) => isModel(file.path));
  if (files.length === 0) throw await noModelFiles(project, setting);
  // Keys are for whoever runs the image, and change without it.
  const keysFile = posix.normalize(project.config.service.auth.keys_file ?? "");
  const isInstalled = (path: string) => project.config.runtime === "node" && path.startsWith("node_modules/");
  const code = everything.filter(({ path }) => !isModel(path) && path !== keysFile && !isInstalled(path));
  for (const entry of entryFiles(project.config.model.entry)) {
    if (code.some((file) => file.path === entry)) continue;
    throw new UserError("project_file", `${entry} is not in the project.`, {
      why: rules.ignores(entry) ? ".dockerignore leaves it out." : "`model.entry` names it.",
      hint: "Write the class that loads the model there, or point `model.entry` at it.",
    });
  }
  return {
    code,
    model: {
      files,
      containerPath: posix.join(appFolder, setting),
      hostPath: join(project.root, setting),
      bytes: files.reduce((sum, file) => sum + file.size, 0),
    },
  };
}

async function noModelFiles(project: Project, setting: string): Promise<UserError> {
  const present = await listFiles(project.root, setting, { ignores: () => false, prunes: () => false }).catch(
    () => [],
  );
  if (present.length > 0) {
    return new UserError("model_files", `.dockerignore leaves out all model files of ${setting}.`, {
      why: "What it lists never enters an image, model files included.",
      hint: `Take \`${setting}\` out of .dockerignore, or add \`!${setting}\` below it.`,
    });
  }
  return new UserError("model_files", `There are no model files at ${setting}.`, {
    why: "`model.files` in modelship.yaml names that place.",
    hint: "Train the model first (a template's `train.py` writes it), or point `model.files` at the weights.",
  });
}

export interface ContextInput {
  project: Project;
  content: ProjectContent;
  requirementPaths: readonly string[];
  /** CA bundle to leave in the image. */
  keptCa: Buffer | undefined;
  digests: Digests;
}

/** Everything the Dockerfile copies, laid out as it names it: runtime/, requirements/, service/, app/. */
export async function buildContext(input: ContextInput): Promise<KeyedFile[]> {
  const { project, content, digests } = input;
  const everything = { ignores: () => false, prunes: () => false };
  const { locks, service } = await (project.config.runtime === "node" ? nodeRuntime() : pythonRuntime());
  const requirements = await Promise.all(
    input.requirementPaths.map((path) => listFiles(project.root, path, everything)),
  );
  const keyed = (prefix: string, files: readonly ProjectFile[]) =>
    Promise.all(files.map((file) => keyedFile(`${prefix}/${file.path}`, file, digests)));
  const groups = await Promise.all([
    keyed("runtime", locks),
    keyed("service", service),
    keyed("requirements", requirements.flat()),
    keyed("app", content.code),
  ]);
  const files = groups.flat();
  if (input.keptCa) files.push(bytesFile("ca/ca.pem", input.keptCa));
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The locks of the service's own packages, and the service. */
async function pythonRuntime() {
  const everything = { ignores: () => false, prunes: () => false };
  const runtime = packagePath("templates/service/python");
  const service = (await listFiles(runtime, "modelship_service", everything)).filter(
    (file) => !/(^|\/)__pycache__\/|\.pyc$/.test(file.path),
  );
  const locks = await Promise.all(
    ["requirements.txt", "constraints.txt", "uv.txt"].map((name) => listFiles(runtime, name, everything)),
  );
  return { locks: locks.flat(), service };
}

async function keyedFile(path: string, file: ProjectFile, digests: Digests): Promise<KeyedFile> {
  return {
    path,
    mode: file.executable ? 0o755 : 0o644,
    size: file.size,
    source: { file: file.file },
    digest: await digests.of(file.file),
  };
}

function bytesFile(path: string, bytes: Buffer): KeyedFile {
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  return { path, mode: 0o644, size: bytes.length, source: { bytes }, digest };
}
