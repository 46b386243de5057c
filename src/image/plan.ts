import { createHash } from "node:crypto";
import type { Revision } from "../project/git.js";
import type { Project } from "../project/load.js";
import type { LayerPlan } from "../weights/layers.js";
import { chooseBase } from "./base.js";
import type { KeyedFile, ProjectContent } from "./context.js";
import {
  type DockerfileInput,
  type DockerfileStage,
  dockerfileStages,
  renderDockerfile,
} from "./dockerfile.js";
import { createdTime, imageLabels } from "./labels.js";
import { modelLayers } from "./model-layers.js";
import { nodeStages } from "./node/dockerfile.js";
import { nodeEnvironment } from "./node/environment.js";
import { serviceSettings } from "./service-settings.js";
import { defaultTags } from "./tags.js";

/** What a build will do, as plain data: `build --dry-run` prints it, `build` does it. */
export interface ImagePlan {
  name: string;
  base: { reference: string; reason: string };
  dockerfile: string;
  stages: readonly DockerfileStage[];
  context: readonly KeyedFile[];
  tags: readonly string[];
  labels: Readonly<Record<string, string>>;
  buildArgs: Readonly<Record<string, string>>;
  /** `undefined`: the engine's own. */
  platform: string | undefined;
  /** Layers of model files that are grafted onto the code image. */
  weights: readonly LayerPlan[];
  /** Content key of the code image, `sha256:<hex>`: the same inputs give the same key. */
  key: string;
}

export interface PlanInput {
  project: Project;
  content: ProjectContent;
  context: readonly KeyedFile[];
  requirements: DockerfileInput["requirements"];
  revision: Revision | undefined;
  /** What the engine knows of the base image, once it is there. */
  base: { id?: string | undefined; digest?: string | undefined };
  tags: readonly string[];
  buildArgs: Readonly<Record<string, string>>;
  secrets: readonly string[];
  platform: string | undefined;
  env: NodeJS.ProcessEnv;
  now: Date;
}

/** Changes when the same inputs would give a different image than an earlier modelship gave. */
const keyFormat = 1;

export function planImage(input: PlanInput): ImagePlan {
  const { project, content, revision } = input;
  const { config } = project;
  const base = chooseBase(project);
  const isNode = config.runtime === "node";
  const stages = (isNode ? nodeStages : dockerfileStages)({
    base: base.reference,
    requirements: input.requirements,
    systemPackages: config.system_packages,
    buildArgs: Object.keys(input.buildArgs).sort(),
    secrets: input.secrets,
    keepCaCerts: config.image.keep_ca_certs,
    environment: (isNode ? nodeEnvironment : serviceEnvironment)(project, content),
    port: config.service.port,
  });
  const dockerfile = renderDockerfile(stages);
  const unkeyed = {
    config,
    revision,
    base: { reference: base.reference, digest: input.base.digest },
    filesPath: content.model.containerPath,
  };
  const key = contentKey({
    keyFormat,
    dockerfile,
    base: input.base.id ?? base.reference,
    labels: imageLabels({ ...unkeyed, created: "", key: "" }),
    buildArgs: input.buildArgs,
    platform: input.platform ?? null,
    context: input.context.map((file) => [file.path, file.mode, file.digest]),
  });
  return {
    name: config.name,
    base,
    dockerfile,
    stages,
    context: input.context,
    tags: input.tags.length > 0 ? input.tags : defaultTags(config, revision),
    labels: imageLabels({ ...unkeyed, created: createdTime(input.env, revision, input.now), key }),
    buildArgs: input.buildArgs,
    platform: input.platform,
    weights: modelLayers(content.model),
    key,
  };
}

/** Settings that the service reads when it starts; each can be overridden with `run --env`. */
function serviceEnvironment(project: Project, content: ProjectContent): Record<string, string> {
  const { config } = project;
  const environment: Record<string, string> = {
    PATH: "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    PYTHONPATH: "/opt/modelship",
    PYTHONUNBUFFERED: "1",
    PYTHONDONTWRITEBYTECODE: "1",
    HOME: "/tmp",
    ...serviceSettings(config, content.model.containerPath),
  };
  if (config.image.keep_ca_certs) {
    environment.SSL_CERT_FILE = "/opt/modelship/ca/ca.pem";
    environment.REQUESTS_CA_BUNDLE = "/opt/modelship/ca/ca.pem";
  }
  return environment;
}

function contentKey(inputs: unknown): string {
  return `sha256:${createHash("sha256").update(JSON.stringify(inputs)).digest("hex")}`;
}

/** The plan as `build --dry-run --json` prints it. */
export function planDocument(plan: ImagePlan): Record<string, unknown> {
  return {
    name: plan.name,
    base: plan.base,
    tags: plan.tags,
    labels: plan.labels,
    platform: plan.platform ?? null,
    key: plan.key,
    buildArgs: Object.keys(plan.buildArgs),
    dockerfile: plan.dockerfile,
    context: plan.context.map(({ path, size, mode }) => ({ path, size, mode: mode.toString(8) })),
    contextBytes: plan.context.reduce((sum, file) => sum + file.size, 0),
    weights: plan.weights.map(({ size, files }) => ({ size, files: files.map(({ path }) => `/${path}`) })),
  };
}

/** The plan for people. */
export function planText(plan: ImagePlan, size: (bytes: number) => string): string {
  const width = Math.max(...[...plan.context, ...plan.weights].map((one) => size(one.size).length));
  return [
    `Image     ${plan.tags.join(", ")}`,
    `Base      ${plan.base.reference}: ${plan.base.reason}`,
    `Platform  ${plan.platform ?? "the engine's own"}`,
    `Key       ${plan.key}`,
    "Labels",
    ...Object.entries(plan.labels).map(([key, value]) => `  ${key}=${value}`),
    "Context",
    ...plan.context.map((file) => `  ${size(file.size).padStart(width)}  ${file.path}`),
    "Weight layers",
    ...plan.weights.flatMap((layer) =>
      layer.files.map((file, at) => {
        const column = at === 0 ? size(layer.size) : "";
        return `  ${column.padStart(width)}  /${file.path}`;
      }),
    ),
    "Dockerfile",
    ...plan.dockerfile
      .trimEnd()
      .split("\n")
      .map((line) => `  ${line}`),
  ].join("\n");
}
