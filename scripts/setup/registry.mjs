// Registries on loopback, one a kind: open to all, with a password, and with a password behind TLS.
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { statSync } from "node:fs";
import { certificate, htpasswdLine, password, user } from "./credentials.mjs";
import { ALREADY, step } from "./say.mjs";
import { ensureDir, readJson, runningPid, startDaemon, statePath, stopDaemon, waitFor, writeState } from "./state.mjs";

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

export async function ensureRegistries() {
  const address = {};
  for (const kind of kinds) address[kind] = await ensureRegistry(kind);
  return {
    MODELSHIP_TEST_REGISTRY: address.open,
    MODELSHIP_TEST_AUTH_REGISTRY: address.auth,
    MODELSHIP_TEST_AUTH_USER: user,
    MODELSHIP_TEST_AUTH_PASSWORD: password(),
    MODELSHIP_TEST_TLS_REGISTRY: address.tls,
    MODELSHIP_TEST_TLS_CA: statePath("tls", "registry.crt"),
  };
}
