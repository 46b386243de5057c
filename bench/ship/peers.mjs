// skopeo, crane and oras: only where they can be had. What they need as input (tars, a layout) is made before the clock
// starts, which is kind to them.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, linkSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { install, isDebianRoot } from "../../scripts/setup/apt.mjs";

const modules = {
  crane: "github.com/google/go-containerregistry/cmd/crane",
  oras: "oras.land/oras/cmd/oras",
};
const firstNumber = (text) => /v?(\d+\.\d+\.\d+\S*)/.exec(text)?.[1];

/** `{ command, version }`, or undefined with a word on stderr why. */
export async function findPeer(name, cache) {
  try {
    const command = await (name === "skopeo" ? skopeo() : fromGo(name, cache));
    const version = firstNumber(
      execFileSync(command, [name === "skopeo" ? "--version" : "version"], { encoding: "utf8" }),
    );
    return { command, version };
  } catch (error) {
    console.error(`${name} is left out: ${error.message.split("\n")[0]}`);
    return undefined;
  }
}

const onPath = (name) => spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim();

async function skopeo() {
  if (!onPath("skopeo") && isDebianRoot()) await install("skopeo");
  return onPath("skopeo") || fail("it is not on the PATH");
}

function fromGo(name, cache) {
  const folder = join(cache, "bin");
  const command = join(folder, name);
  if (existsSync(command)) return command;
  if (onPath(name)) return onPath(name);
  if (!onPath("go")) fail("there is no Go to install it with");
  mkdirSync(folder, { recursive: true });
  const env = { ...process.env, GOBIN: folder };
  const { status, stderr } = spawnSync("nice", ["-n", "19", "go", "install", `${modules[name]}@latest`], {
    env,
    encoding: "utf8",
  });
  return status === 0 ? command : fail(`go install failed: ${stderr.trim().split("\n").pop()}`);
}

function fail(why) {
  throw new Error(why);
}

export function skopeoSubjects({ peer, folder }) {
  return [
    ["skopeo copy", []],
    ["skopeo copy --preserve-digests", ["--preserve-digests"]],
  ].map(([name, options]) => ({
    tool: "skopeo",
    name: `${name}, from an OCI layout`,
    tag: options.length > 0 ? "skopeo-preserved" : "skopeo",
    states: ["first", "nothing", "edit"],
    input: (state, { project }) => ociLayout(folder, tars(folder, project, state)),
    commands: ({ reference }) => [
      {
        part: "push",
        command: peer.command,
        args: [
          ...["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", ...options],
          ...[`oci:${join(folder, "layout")}:image`, `docker://${reference}`],
        ],
        env: { XDG_DATA_HOME: folder },
        cwd: folder,
      },
    ],
    leave: () => removeInput(folder),
  }));
}

export function craneSubject({ peer, folder }) {
  const files = ["weights.tar", "code.tar"].flatMap((name) => ["-f", join(folder, name)]);
  return {
    tool: "crane",
    name: "crane append, from tars",
    tag: "crane",
    states: ["first", "nothing", "edit"],
    input: (state, { project }) => tars(folder, project, state),
    commands: ({ reference, base }) => [
      {
        part: "push",
        command: peer.command,
        args: ["append", "-b", base, "-t", reference, ...files],
        env: { DOCKER_CONFIG: folder },
        cwd: folder,
      },
    ],
    leave: () => removeInput(folder),
  };
}

export function orasSubject({ peer, folder }) {
  return {
    tool: "oras",
    name: "oras push, the files as they are",
    tag: "oras",
    states: ["first", "nothing", "edit", "touch"],
    commands: ({ reference, project }) => [
      {
        part: "push",
        command: peer.command,
        args: [
          ...["push", "--plain-http", "--no-tty", reference],
          ...project.weights.map((path) => `model/${basename(path)}`),
          "model.py",
        ],
        env: { DOCKER_CONFIG: folder },
        cwd: project.root,
      },
    ],
  };
}

function tars(folder, project, state) {
  const parts = [join(folder, "weights.tar"), join(folder, "code.tar")];
  if (state === "first")
    execFileSync("tar", ["--format=pax", "-cf", parts[0], "-C", project.context, "model"]);
  execFileSync("tar", ["--format=pax", "-cf", parts[1], "-C", project.context, "app"]);
  return parts;
}

/** Plain tar layers on nothing: the layers of the base image are a matter of course here, and left out. */
async function ociLayout(folder, layers) {
  const layout = join(folder, "layout");
  rmSync(layout, { recursive: true, force: true });
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  const blob = (type, content) => {
    const hex = createHash("sha256").update(content).digest("hex");
    writeFileSync(join(layout, "blobs/sha256", hex), content);
    return {
      mediaType: `application/vnd.oci.image.${type}+json`,
      digest: `sha256:${hex}`,
      size: content.length,
    };
  };
  const described = [];
  for (const path of layers) {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk);
    const hex = hash.digest("hex");
    linkSync(path, join(layout, "blobs/sha256", hex));
    described.push({
      mediaType: "application/vnd.oci.image.layer.v1.tar",
      digest: `sha256:${hex}`,
      size: statSync(path).size,
    });
  }
  const rootfs = { type: "layers", diff_ids: described.map(({ digest }) => digest) };
  const json = (value) => Buffer.from(JSON.stringify(value));
  const config = blob("config.v1", json({ architecture: "amd64", os: "linux", config: {}, rootfs }));
  const manifest = blob(
    "manifest.v1",
    json({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config,
      layers: described,
    }),
  );
  const named = { ...manifest, annotations: { "org.opencontainers.image.ref.name": "image" } };
  writeFileSync(join(layout, "index.json"), json({ schemaVersion: 2, manifests: [named] }));
  writeFileSync(join(layout, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
}

function removeInput(folder) {
  for (const name of ["layout", "weights.tar", "code.tar"])
    rmSync(join(folder, name), { recursive: true, force: true });
}
