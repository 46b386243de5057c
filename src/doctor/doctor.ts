import { statfs } from "node:fs/promises";
import { credentialSource } from "../docker/auth/lookup.js";
import type { Engine } from "../docker/client.js";
import { connectEngine } from "../docker/connect.js";
import { gpuSupport } from "../docker/gpu.js";
import { inspectImage } from "../docker/images.js";
import { readProjectContent } from "../image/context.js";
import { readInstallSettings } from "../image/install-settings.js";
import { baseOf } from "../image/prepare.js";
import { readRequirements } from "../image/requirements.js";
import type { Project } from "../project/load.js";
import { RegistryClient } from "../registry/client.js";
import { parseReference, type Reference } from "../registry/reference.js";
import { type Check, check } from "./check.js";
import { type DoctorOptions, findProject, settle } from "./surroundings.js";

export type { DoctorOptions };

/** Below this a build of a usual size is likely to fail, in bytes. */
const littleDisk = 5 * 1024 ** 3;

/** Looks at everything that build, run and push of this project need; changes nothing. */
export async function examine(options: DoctorOptions): Promise<Check[]> {
  const [connected, loaded] = await Promise.all([
    settle(() => connectEngine(options)),
    settle(() => findProject(options)),
  ]);
  const engine = connected.value;
  const project = loaded.value;
  const groups = await Promise.all([
    [await check("engine", async () => describeEngine(connected.get()))],
    engine ? engineChecks(engine, project) : [],
    check("network", () => network(options, project)),
    check("base image", () => baseImage(options, engine, project)),
    check("credentials", () => credentials(options, project)),
    check("project", () => describeProject(loaded.get())),
  ]);
  return groups.flat();
}

function describeEngine({ info, endpoint }: Engine): Omit<Check, "name"> {
  const name = info.kind === "podman" ? "Podman" : "Docker";
  return {
    status: "ok",
    message: `${name} ${info.version}, API ${info.apiVersion}, ${info.platform}, at ${endpoint.host} (${endpoint.source})`,
  };
}

function engineChecks(engine: Engine, project: Project | undefined): Promise<Check[]> {
  const { info } = engine;
  return Promise.all([
    check("builder", async () => ({
      status: "ok",
      message: info.buildkit ? "BuildKit" : "the classic builder: every build sends all files again",
    })),
    check("storage", async () => ({
      status: "ok",
      message: `${info.storageDriver}, ${info.store === "containerd" ? "containerd image store" : "classic image store"}`,
    })),
    check("disk", () => diskSpace(engine)),
    check("gpu", () => gpu(engine, project?.config.accelerator === "cuda")),
  ]);
}

async function diskSpace({ endpoint, info }: Engine): Promise<Omit<Check, "name">> {
  const space = endpoint.host.startsWith("unix:")
    ? await statfs(info.dataRoot).catch(() => undefined)
    : undefined;
  if (!space) return { status: "skipped", message: `${info.dataRoot} cannot be seen from here` };
  const free = space.bavail * space.bsize;
  const message = `${(free / 1024 ** 3).toFixed(1)} GiB free at ${info.dataRoot}`;
  if (free >= littleDisk) return { status: "ok", message };
  return { status: "warning", message, hint: "`docker system prune` frees what no container or tag uses." };
}

async function gpu(engine: Engine, needed: boolean): Promise<Omit<Check, "name">> {
  const { runtime, devices } = await gpuSupport(engine);
  if (runtime || devices.length > 0) {
    return { status: "ok", message: runtime ? "the NVIDIA runtime is registered" : devices.join(", ") };
  }
  return {
    status: needed ? "failed" : "skipped",
    message: `no NVIDIA runtime and no CDI device${needed ? ", but the project says accelerator: cuda" : "; not needed"}`,
    hint: needed ? "Install nvidia-container-toolkit, or set `accelerator: cpu`." : undefined,
    exitCode: 1,
  };
}

async function network(options: DoctorOptions, project: Project | undefined): Promise<Omit<Check, "name">> {
  const settings = await readInstallSettings({
    root: project?.root ?? options.cwd,
    env: options.env,
    caCerts: project?.config.image.ca_certs ?? null,
    indexUrl: undefined,
    hostNetwork: false,
  });
  const warning = settings.warnings[0];
  if (warning) return { status: "warning", ...warning };
  return {
    status: "ok",
    message: settings.notes.join("; ") || "no proxy, no private CA, the public package index",
  };
}

async function baseImage(
  options: DoctorOptions,
  engine: Engine | undefined,
  project: Project | undefined,
): Promise<Omit<Check, "name">> {
  if (!project) return { status: "skipped", message: "no project here" };
  const { config, origins } = project;
  const requirements = await readRequirements(
    project.root,
    config.requirements,
    origins.requirements ?? { from: "file" },
  );
  const { reference } = await baseOf(project, requirements, {
    env: options.env,
    platform: config.image.platforms[0],
  });
  if (engine && (await inspectImage(engine, reference))) {
    return { status: "ok", message: `${reference} is on the engine` };
  }
  const parsed = parseReference(reference);
  return withRegistry(parsed, options, async (registry) => {
    const { digest } = await registry.manifest(parsed);
    return { status: "ok", message: `${reference} can be pulled (${digest.slice(0, 19)})` };
  });
}

async function credentials(
  options: DoctorOptions,
  project: Project | undefined,
): Promise<Omit<Check, "name">> {
  const repository = project?.config.image.repository;
  if (!repository) return { status: "skipped", message: "no image.repository to push to" };
  const parsed = parseReference(repository);
  const credential = await credentialSource(options.env)(parsed.registry);
  return withRegistry(parsed, options, async (registry) => {
    if (credential) {
      await registry.verifyLogin(credential);
      return { status: "ok", message: `${parsed.registry} takes the credentials that are stored` };
    }
    await registry.ping();
    return {
      status: "warning",
      message: `${parsed.registry} answers; no credentials are stored for it`,
      hint: `Sign in with \`modelship login ${parsed.registry}\` if it asks for them.`,
    };
  });
}

async function withRegistry<T>(
  reference: Reference,
  { env, signal }: DoctorOptions,
  work: (registry: RegistryClient) => Promise<T>,
): Promise<T> {
  const registry = new RegistryClient(reference.registry, { env, signal });
  try {
    return await work(registry);
  } finally {
    registry.close();
  }
}

async function describeProject(project: Project | undefined): Promise<Omit<Check, "name">> {
  if (!project) return { status: "skipped", message: "no modelship.yaml here or in a parent folder" };
  const { config, origins } = project;
  const [content] = await Promise.all([
    readProjectContent(project),
    readRequirements(project.root, config.requirements, origins.requirements ?? { from: "file" }),
  ]);
  const count = content.model.files.length;
  return {
    status: "ok",
    message: `${config.name} ${config.version}: ${content.code.length} files of code, ${count} model file${count === 1 ? "" : "s"}`,
  };
}
