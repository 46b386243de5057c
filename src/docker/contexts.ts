import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemCode, UserError } from "../errors.js";
import type { Endpoint } from "./engine-address.js";
import { readTlsFiles } from "./tls-files.js";

/** The engine that a context of the docker client names. `by` is who asked for it. */
export async function contextEndpoint(configDir: string, name: string, by: string): Promise<Endpoint> {
  const id = createHash("sha256").update(name).digest("hex");
  const file = join(configDir, "contexts", "meta", id, "meta.json");
  const meta = await readMeta(file);
  if (meta === undefined) {
    const names = ["default", ...(await contextNames(configDir))];
    throw new UserError("usage", `There is no Docker context "${name}".`, {
      why: `It was asked for by ${by}.`,
      hint: `The contexts here are: ${names.join(", ")}.`,
    });
  }
  const docker = meta.Endpoints?.docker;
  if (typeof docker?.Host !== "string" || docker.Host === "") {
    throw new UserError("usage", `The Docker context "${name}" names no engine.`, {
      why: `${file} has no Endpoints.docker.Host.`,
      hint: `Choose another context, or make it again with "docker context create".`,
    });
  }
  const files = await readTlsFiles(join(configDir, "contexts", "tls", id, "docker"));
  const skip = docker.SkipTLSVerify === true;
  const endpoint: Endpoint = { host: docker.Host, source: `context "${name}"` };
  return skip || Object.keys(files).length > 0 ? { ...endpoint, tls: { ...files, verify: !skip } } : endpoint;
}

/** The contexts that are there, apart from "default". */
export async function contextNames(configDir: string): Promise<string[]> {
  const root = join(configDir, "contexts", "meta");
  const folders = await readdir(root).catch(() => []);
  const metas = await Promise.all(
    folders.map((folder) => readMeta(join(root, folder, "meta.json")).catch(() => undefined)),
  );
  return metas.flatMap((meta) => (typeof meta?.Name === "string" ? [meta.Name] : [])).sort();
}

interface ContextMeta {
  Name?: unknown;
  Endpoints?: { docker?: { Host?: unknown; SkipTLSVerify?: unknown } };
}

async function readMeta(file: string): Promise<ContextMeta | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    throw new UserError("usage", `The Docker context file ${file} cannot be read.`, { cause: error });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch {}
  throw new UserError("usage", `The Docker context file ${file} is not valid JSON.`, {
    hint: `Make the context again with "docker context create".`,
  });
}
