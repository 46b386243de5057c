// A Node base image from Debian packages and npm's own package of Node, for machines that no public image reaches.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { install, isDebianRoot, isUbuntu } from "./apt.mjs";
import { publicImage, suite, without } from "./base-image.mjs";
import { npm } from "./dependencies.mjs";
import { hasImage, importImage } from "./engine-api.mjs";
import { ALREADY, step } from "./say.mjs";
import { run } from "./shell.mjs";
import { ensureDir, statePath } from "./state.mjs";

export const versions = { node: "22.23.3", npm: "10.9.9" };
const publicBase = "node:22-bookworm-slim";
export const nodeBase = `modelship.local/node:${versions.node.split(".")[0]}`;
const tar = () => statePath("base", `node-${versions.node}.tar`);

/** Returns what points tests at the image; nothing where none can be had or made. */
export async function ensureNodeBase(docker) {
  const local = { MODELSHIP_TEST_NODE_BASE: nodeBase };
  if (await hasImage(docker, nodeBase)) {
    await step(`base image ${nodeBase}`, () => ALREADY);
    return local;
  }
  if (await publicImage(docker, publicBase)) return { MODELSHIP_TEST_NODE_BASE: publicBase };
  if (!isDebianRoot()) return {};
  await makeTar();
  await step(`base image ${nodeBase}`, () =>
    importImage(docker, tar(), nodeBase, [
      "ENV LANG=C.UTF-8",
      `ENV NODE_VERSION=${versions.node}`,
      "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      'CMD ["node"]',
    ]),
  );
  return local;
}

async function makeTar() {
  await install("mmdebstrap", ...(isUbuntu() ? ["debian-archive-keyring"] : []));
  await step("Node base file system from Debian packages and npm", async () => {
    if (existsSync(tar())) return ALREADY;
    const folder = statePath("base", "node.part");
    rmSync(folder, { recursive: true, force: true });
    ensureDir(folder);
    const node = await unpacked(folder, `node-linux-${process.arch}@${versions.node}`);
    const manager = await unpacked(folder, `npm@${versions.npm}`);
    const part = `${tar()}.part.tar`;
    const bin = '"$1/usr/local/bin"';
    await run("mmdebstrap", [
      "--variant=minbase",
      "--include=ca-certificates,libstdc++6",
      ...without.map((path) => `--dpkgopt=path-exclude=/usr/share/${path}`),
      "--dpkgopt=path-include=/usr/share/doc/*/copyright",
      '--customize-hook=mkdir -p "$1/usr/local/lib/node_modules"',
      `--customize-hook=cp ${join(node, "bin/node")} ${bin}/node`,
      `--customize-hook=cp -r ${manager} "$1/usr/local/lib/node_modules/npm"`,
      `--customize-hook=ln -s ../lib/node_modules/npm/bin/npm-cli.js ${bin}/npm`,
      `--customize-hook=ln -s ../lib/node_modules/npm/bin/npx-cli.js ${bin}/npx`,
      `--customize-hook=chmod -R go=u-w "$1/usr/local"`,
      `--customize-hook=chmod 755 ${bin}/node "$1/usr/local/lib/node_modules/npm/bin/npm-cli.js" "$1/usr/local/lib/node_modules/npm/bin/npx-cli.js"`,
      suite,
      part,
    ]);
    renameSync(part, tar());
    rmSync(folder, { recursive: true, force: true });
  });
}

/** Fetches a package without installing it; its scripts do not run. */
export async function unpacked(folder, spec) {
  const to = join(folder, spec.split("@")[0]);
  mkdirSync(to);
  await npm(["pack", spec, "--silent", "--pack-destination", to]);
  const [archive] = readdirSync(to);
  await run("tar", ["-xzf", join(to, archive), "-C", to]);
  return join(to, "package");
}
