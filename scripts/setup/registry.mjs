// Registries on loopback, one a kind: open to all, with a password, and with a password behind TLS.

import { statSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { install, isDebianRoot } from "./apt.mjs";
import { certificate, htpasswdLine, password, user } from "./credentials.mjs";
import { hasImage, pullImage, removeContainer } from "./engine-api.mjs";
import { ALREADY, SetupError, step } from "./say.mjs";
import { onPath } from "./shell.mjs";
import {
  ensureDir,
  readJson,
  runningPid,
  startDaemon,
  statePath,
  stopDaemon,
  waitFor,
  writeState,
} from "./state.mjs";

export const kinds = ["open", "auth", "tls"];

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = net.createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

function status(kind, address) {
  const [client, scheme] = kind === "tls" ? [https, "https"] : [http, "http"];
  return new Promise((resolve) => {
    const options = { timeout: 2000, rejectUnauthorized: false, agent: false };
    const request = client.get(`${scheme}://${address}/v2/`, options, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(undefined));
  });
}

const isOurs = async (kind, address) => (await status(kind, address)) === (kind === "open" ? 200 : 401);

async function config(kind, port) {
  const lines = [
    "version: 0.1",
    "log: { level: warn }",
    `storage: { filesystem: { rootdirectory: ${statePath(`registry-${kind}`)} }, delete: { enabled: true } }`,
  ];
  if (kind === "tls") {
    const { key, cert } = await certificate();
    lines.push(`http: { addr: "127.0.0.1:${port}", tls: { certificate: ${cert}, key: ${key} } }`);
  } else lines.push(`http: { addr: "127.0.0.1:${port}" }`);
  if (kind !== "open") {
    htpasswdLine();
    lines.push(`auth: { htpasswd: { realm: modelship, path: ${statePath("registry.htpasswd")} } }`);
  }
  return `${lines.join("\n")}\n`;
}

export async function ensureRegistry(kind) {
  const name = `registry-${kind}`;
  const saved = readJson(`${name}.json`);
  await step(`registry on loopback (${kind})`, async () => {
    const whole = statSync(statePath(name), { throwIfNoEntry: false });
    if (saved && whole && runningPid(name) && (await isOurs(kind, saved.address))) return ALREADY;
    await stopDaemon(name);
    // The same port again where it is free: images keep the names they were pushed under.
    const port = saved && !(await status(kind, saved.address)) ? saved.port : await freePort();
    const address = `127.0.0.1:${port}`;
    ensureDir(statePath(name));
    writeState(`${name}.yml`, await config(kind, port));
    writeState(`${name}.json`, JSON.stringify({ address, port }));
    startDaemon(name, "docker-registry", ["serve", statePath(`${name}.yml`)]);
    await waitFor(name, () => isOurs(kind, address));
  });
  return readJson(`${name}.json`).address;
}

const environment = (address) => ({
  MODELSHIP_TEST_REGISTRY: address.open,
  MODELSHIP_TEST_AUTH_REGISTRY: address.auth,
  MODELSHIP_TEST_AUTH_USER: user,
  MODELSHIP_TEST_AUTH_PASSWORD: password(),
});

export async function ensureRegistries(docker) {
  if (isDebianRoot()) await install("docker-registry");
  if (!onPath("docker-registry")) return await containerRegistries(docker);
  const address = {};
  for (const kind of kinds) address[kind] = await ensureRegistry(kind);
  return {
    ...environment(address),
    MODELSHIP_TEST_TLS_REGISTRY: address.tls,
    MODELSHIP_TEST_TLS_CA: statePath("tls", "registry.crt"),
  };
}

const image = "registry:2";
export const containerName = (kind) => `modelship-dev-registry-${kind}`;

/** Where there is no registry program: in containers, published on loopback. */
async function containerRegistries(docker) {
  const address = {};
  for (const kind of ["open", "auth"]) {
    await step(`registry on loopback (${kind}, in a container)`, async () => {
      const saved = readJson(`${containerName(kind)}.json`);
      address[kind] = saved?.address;
      if (saved && (await isOurs(kind, saved.address))) return ALREADY;
      if (!(await hasImage(docker, image))) await pullImage(docker, image, 60_000);
      await removeContainer(docker, containerName(kind));
      const port = await freePort();
      address[kind] = `127.0.0.1:${port}`;
      writeState(`${containerName(kind)}.json`, JSON.stringify({ address: address[kind] }));
      const container = await docker.createContainer(containerSpec(kind, port));
      await container.start();
      for (let tries = 0; tries < 100 && !(await isOurs(kind, address[kind])); tries++) await sleep(100);
      if (!(await isOurs(kind, address[kind])))
        throw new SetupError(`${containerName(kind)} does not answer at ${address[kind]}.`);
    });
  }
  return environment(address);
}

/** The password line goes in through the environment: a bind mount would need an engine that sees this disk. */
const containerSpec = (kind, port) => ({
  name: containerName(kind),
  Image: image,
  ...(kind === "auth" && {
    Entrypoint: [
      "sh",
      "-c",
      'printf "%s\\n" "$LINE" > /tmp/htpasswd; exec registry serve /etc/docker/registry/config.yml',
    ],
    Env: [
      `LINE=${htpasswdLine()}`,
      "REGISTRY_AUTH=htpasswd",
      "REGISTRY_AUTH_HTPASSWD_REALM=modelship",
      "REGISTRY_AUTH_HTPASSWD_PATH=/tmp/htpasswd",
    ],
  }),
  ExposedPorts: { "5000/tcp": {} },
  HostConfig: {
    PortBindings: { "5000/tcp": [{ HostIp: "127.0.0.1", HostPort: String(port) }] },
    RestartPolicy: { Name: "unless-stopped" },
  },
});
