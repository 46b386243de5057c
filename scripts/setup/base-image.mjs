// A Python base image from Debian packages, for machines that no public image reaches.
import { existsSync, renameSync } from "node:fs";
import { install, isDebianRoot, isUbuntu } from "./apt.mjs";
import { hasImage, importImage, pullImage } from "./engine-api.mjs";
import { ALREADY, SetupError, say, seconds, step } from "./say.mjs";
import { onPath, run } from "./shell.mjs";
import { ensureDir, statePath } from "./state.mjs";

export const baseImage = "modelship.local/python:3.11";
export const basePython = "3.11";
const publicBase = "python:3.12-slim";
const tar = () => statePath("base", `python-${basePython}.tar`);

export const suite = "bookworm";
export const without = ["doc/*", "man/*", "info/*", "locale/*", "lintian/*", "bash-completion/*"];

async function makeTar() {
  if (!isDebianRoot() && !onPath("mmdebstrap")) {
    throw new SetupError(
      `The engine can fetch no public image (${publicBase}), and no base image can be made here without mmdebstrap.\n` +
        "Give the engine access to Docker Hub, or install mmdebstrap (Debian, Ubuntu).",
      3,
    );
  }
  if (isDebianRoot()) await install("mmdebstrap", ...(isUbuntu() ? ["debian-archive-keyring"] : []));
  await step("Python base file system from Debian packages", async () => {
    if (existsSync(tar())) return ALREADY;
    ensureDir(statePath("base"));
    const part = `${tar()}.part.tar`;
    await run("mmdebstrap", [
      "--variant=minbase",
      "--include=python3,python3-venv,python3-pip,python-is-python3,ca-certificates",
      ...without.map((path) => `--dpkgopt=path-exclude=/usr/share/${path}`),
      "--dpkgopt=path-include=/usr/share/doc/*/copyright",
      suite,
      part,
    ]);
    renameSync(part, tar());
  });
}

/** The version is written in the tar by the interpreter's own package, so it is read there and not guessed. */
async function pythonVersion() {
  const status = await run("tar", ["-xOf", tar(), "./var/lib/dpkg/status"]);
  return (
    /^Package: python3\.11-minimal$[\s\S]*?^Version: (\d+\.\d+\.\d+)/m.exec(status)?.[1] ?? `${basePython}.2`
  );
}

/** Whether the image that builds use by default is here or can be fetched. A refusal comes at once, a silent network does not. */
export async function publicImage(docker, publicBase) {
  if (await hasImage(docker, publicBase)) return true;
  const start = performance.now();
  try {
    await pullImage(docker, publicBase, 20_000);
    say(`  + public image ${publicBase} (${seconds(start)})`);
    return true;
  } catch {
    say(`  - public image ${publicBase}: the engine cannot fetch it, so a local base takes its place`);
    return false;
  }
}

/** Returns what points builds at the local base; nothing where public images can be had. */
export async function ensureBaseImage(docker) {
  const env = { MODELSHIP_IMAGE_BASE: baseImage, MODELSHIP_PYTHON: basePython };
  if (await hasImage(docker, baseImage)) {
    await step(`base image ${baseImage}`, () => ALREADY);
    return env;
  }
  if (await publicImage(docker, publicBase)) return {};
  await makeTar();
  await step(`base image ${baseImage}`, async () => {
    await importImage(docker, tar(), baseImage, [
      "ENV LANG=C.UTF-8",
      `ENV PYTHON_VERSION=${await pythonVersion()}`,
      "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      'CMD ["python3"]',
    ]);
  });
  return env;
}
