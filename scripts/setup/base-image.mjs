// A Python base image from Debian packages, for machines that no public image reaches.
import { existsSync, renameSync } from "node:fs";
import { install, isUbuntu } from "./apt.mjs";
import { hasImage, importImage } from "./engine-api.mjs";
import { ALREADY, step } from "./say.mjs";
import { run } from "./shell.mjs";
import { ensureDir, statePath } from "./state.mjs";

export const baseImage = "modelship.local/python:3.11";
export const basePython = "3.11";
const suite = "bookworm";
const tar = () => statePath("base", `python-${basePython}.tar`);

const without = ["doc/*", "man/*", "info/*", "locale/*", "lintian/*", "bash-completion/*"];

async function makeTar() {
  await install("mmdebstrap", ...(isUbuntu() ? ["debian-archive-keyring"] : []));
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
  return /^Package: python3\.11-minimal$[^]*?^Version: (\d+\.\d+\.\d+)/m.exec(status)?.[1] ?? `${basePython}.2`;
}

export async function ensureBaseImage(host) {
  if (await hasImage(host, baseImage)) {
    await step(`base image ${baseImage}`, () => ALREADY);
    return;
  }
  await makeTar();
  await step(`base image ${baseImage}`, async () => {
    await importImage(host, tar(), baseImage, [
      "ENV LANG=C.UTF-8",
      `ENV PYTHON_VERSION=${await pythonVersion()}`,
      "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      'CMD ["python3"]',
    ]);
  });
}
