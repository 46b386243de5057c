import { createHash } from "node:crypto";
import type { Revision } from "../project/git.js";
import type { Project } from "../project/load.js";
import type { LayerPlan } from "../weights/layers.js";
import type { BaseDecision } from "./base.js";
import type { KeyedFile, ProjectContent } from "./context.js";
import { type DockerfileInput, dockerfileStages, renderDockerfile } from "./dockerfile.js";
import type { DockerfileStage } from "./dockerfile-step.js";
import { createdTime, imageLabels } from "./labels.js";
import { modelLayers } from "./model-layers.js";
import { nodeStages } from "./node/dockerfile.js";
import { nodeEnvironment } from "./node/environment.js";
import { serviceSettings } from "./service-settings.js";
import { defaultTags } from "./tags.js";

/** What a build will do, as plain data: `build --dry-run` prints it, `build` does it. */
export interface ImagePlan {
  name: string;
  base: BaseDecision;
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
  decision: BaseDecision;
  /** What the engine knows of the base image, once it is there, and the ids of the other images that are built from. */
  base: { id?: string | undefined; digest?: string | undefined; others?: readonly string[] };
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
  const base = input.decision;
  const isNode = config.runtime === "node";
  const stages = (isNode ? nodeStages : dockerfileStages)({
    base: base.reference,
    builder: base.builder,
    python: base.python,
    torch: base.torch,
    profile: config.image.profile,
    requirements: input.requirements,
    systemPackages: config.system_packages,
    buildArgs: Object.keys(input.buildArgs).sort(),
    secrets: input.secrets,
    keepCaCerts: config.image.keep_ca_certs,
    environment: isNode ? nodeEnvironment(project, content) : serviceEnvironment(project, content, base),
    port: config.service.port,
  });
  const dockerfile = renderDockerfile(stages);
  const unkeyed = {
    config,
    revision,
    base: { reference: base.reference, digest: input.base.digest },
    cuda: base.cuda?.version,
    filesPath: content.model.containerPath,
  };
  const key = contentKey({
    keyFormat,
    dockerfile,
    base: input.base.id ?? base.reference,
    others: input.base.others,
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
function serviceEnvironment(
  project: Project,
  content: ProjectContent,
  base: BaseDecision,
): Record<string, string> {
  const { config } = project;
  const environment: Record<string, string> = {
    PATH: "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    PYTHONPATH: "/opt/modelship",
    PYTHONUNBUFFERED: "1",
    PYTHONDONTWRITEBYTECODE: "1",
    HOME: "/tmp",
    ...(base.reference.startsWith(nvidiaImages) && {
      PATH: "/opt/venv/bin:/usr/local/nvidia/bin:/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }),
    ...(base.cuda && nvidiaSettings(base)),
    ...serviceSettings(config, content.model.containerPath),
  };
  if (config.image.keep_ca_certs) {
    environment.SSL_CERT_FILE = "/opt/modelship/ca/ca.pem";
    environment.REQUESTS_CA_BUNDLE = "/opt/modelship/ca/ca.pem";
  }
  return environment;
}

const nvidiaImages = "nvidia/cuda:";

/**
 * What NVIDIA's container runtime goes by, as in its own images: give the driver's libraries for computing, and do not
 * start on a machine whose driver is too old.
 */
function nvidiaSettings({ cuda, reference }: BaseDecision): Record<string, string> {
  const major = cuda?.version?.split(".")[0];
  return {
    NVIDIA_VISIBLE_DEVICES: "all",
    NVIDIA_DRIVER_CAPABILITIES: "compute,utility",
    ...(major && !reference.startsWith(nvidiaImages) && { NVIDIA_REQUIRE_CUDA: `cuda>=${major}.0` }),
  };
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

/** What follows from the base, a line each. */
export function baseLines({ builder, python, torch, cuda, notes }: BaseDecision): string[] {
  return [
    ...(builder ? [`Builder   ${builder}`] : []),
    ...(python ? [`Python    ${python}`] : []),
    ...(torch ? [`PyTorch   for ${torch.made}, from ${torch.index}`] : []),
    ...(cuda?.version ? [`CUDA      ${cuda.version}: driver ${cuda.driver} or newer`] : []),
    ...notes.map((note) => `Note      ${note}`),
  ];
}

/** The plan for people. */
export function planText(plan: ImagePlan, size: (bytes: number) => string): string {
  const width = Math.max(...[...plan.context, ...plan.weights].map((one) => size(one.size).length));
  return [
    `Image     ${plan.tags.join(", ")}`,
    `Base      ${plan.base.reference}: ${plan.base.reason}`,
    ...baseLines(plan.base),
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
