import { createReadStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { messageOf, throwIfAborted, UserError } from "../../errors.js";
import { exec } from "../../exec.js";
import { checkInside } from "../plan.js";
import { refused } from "./folder.js";
import { Allowance, limits } from "./limits.js";
import type { TemplateSpec } from "./spec.js";

type NpmSpec = Extract<TemplateSpec, { kind: "npm" }>;

export interface NpmPackage {
  version: string;
  /** As the registry states it: `sha512-...`. */
  integrity: string;
}

/**
 * Has npm download a package, with the user's registry and its credentials, and unpacks it into `folder`/tree. No
 * script of the package is run, and nothing that it needs is installed.
 */
export async function fetchNpm(
  spec: NpmSpec,
  folder: string,
  { env, signal }: { env: NodeJS.ProcessEnv; signal?: AbortSignal | undefined },
): Promise<NpmPackage> {
  const place = `npm:${spec.name}${spec.version === undefined ? "" : `@${spec.version}`}`;
  const args = [
    "pack",
    "--json",
    "--ignore-scripts",
    "--pack-destination",
    folder,
    "--",
    place.slice("npm:".length),
  ];
  const result = await exec("npm", args, {
    cwd: folder,
    env,
    timeout: limits.seconds * 1000,
    ...(signal && { signal }),
  });
  throwIfAborted(signal);
  if (result.exitCode !== 0) {
    throw new UserError(
      "template",
      `${place} cannot be fetched${result.missing ? ": npm is not installed" : ""}.`,
      {
        why: result.missing ? undefined : whatNpmSaid(result.stderr),
        hint: "Check the name, the version and your .npmrc.",
      },
    );
  }
  const { filename, version, integrity } = readReport(result.stdout, place);
  const tree = join(folder, "tree");
  await mkdir(tree);
  await unpack(join(folder, basename(filename)), tree, place);
  return { version, integrity };
}

/** `npm error code E404` says less than the line after it. */
function whatNpmSaid(stderr: string): string | undefined {
  const lines = stderr
    .split("\n")
    .map((line) => line.replace(/^npm (error|ERR!)\s*/, "").trim())
    .filter((line) => line !== "" && !/^(code|npm)\b/.test(line));
  return lines[0];
}

function readReport(stdout: string, place: string): NpmPackage & { filename: string } {
  try {
    const report = JSON.parse(stdout) as unknown;
    // A list; newer versions of npm may say it by name.
    const [first] = Array.isArray(report) ? report : Object.values(report as object);
    const { filename, version, integrity } = first as Record<string, unknown>;
    if (typeof filename === "string" && typeof version === "string") {
      return { filename, version, integrity: typeof integrity === "string" ? integrity : "" };
    }
  } catch {
    // what follows says so
  }
  throw new UserError("template", `${place} cannot be fetched.`, {
    why: "npm did not say what it has downloaded.",
  });
}

/** Packages are gzipped tars with one folder at the top, whatever its name. */
async function unpack(archive: string, tree: string, place: string): Promise<void> {
  const allowance = new Allowance(place);
  const tar = extract();
  const fed = pipeline(createReadStream(archive), createGunzip(), tar as unknown as NodeJS.WritableStream);
  fed.catch(() => {});
  try {
    for await (const entry of tar) {
      const { name, type, size = 0, mode = 0 } = entry.header;
      const path = name.split("/").slice(1).join("/");
      if (type === "directory") {
        entry.resume();
        continue;
      }
      if (type !== "file") throw refused(place, name, `it is a ${type ?? "thing of an unknown kind"}`);
      allowance.take(path, size);
      checkInside(path);
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      await mkdir(dirname(join(tree, path)), { recursive: true });
      await writeFile(join(tree, path), Buffer.concat(chunks), {
        flag: "wx",
        mode: mode & 0o100 ? 0o755 : 0o644,
      });
    }
    await fed;
  } catch (error) {
    tar.destroy();
    await fed.catch(() => {});
    if (error instanceof UserError) throw error;
    throw new UserError("template", `${place} cannot be unpacked.`, { why: messageOf(error), cause: error });
  }
}
