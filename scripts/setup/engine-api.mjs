// The few engine calls that the set-up needs, over node:http: it runs before anything is installed or compiled.
import { createReadStream } from "node:fs";
import http from "node:http";
import { SetupError } from "./say.mjs";

export function target(host) {
  const url = new URL(host);
  if (url.protocol === "unix:") return { socketPath: url.pathname };
  if (url.protocol === "npipe:") return { socketPath: host.slice("npipe://".length).replaceAll("/", "\\") };
  if (url.protocol === "tcp:" || url.protocol === "http:") return { host: url.hostname, port: url.port || 2375 };
  return undefined; // https and ssh engines are reached through the compiled client
}

export function call(host, method, path, { body, timeout = 0 } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ ...target(host), method, path, timeout }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() }));
      response.on("error", reject);
    });
    request.on("timeout", () => request.destroy(new Error(`no answer from ${host}`)));
    request.on("error", reject);
    if (body === undefined) request.end();
    else body.on("error", reject).pipe(request);
  });
}

export async function answers(host) {
  if (!target(host)) return false;
  try {
    return (await call(host, "GET", "/_ping", { timeout: 3000 })).status === 200;
  } catch {
    return false;
  }
}

export async function getJson(host, path) {
  const { status, text } = await call(host, "GET", path);
  return status === 200 ? JSON.parse(text) : undefined;
}

export const hasImage = async (host, name) => (await getJson(host, `/images/${name}/json`)) !== undefined;

/** These streams answer 200 first and tell the failure in a later row. */
function checkRows(what, { status, text }) {
  const failed = text.split("\n").find((row) => /"(error|errorDetail)"/.test(row));
  if (status !== 200 || failed) throw new SetupError(`${what} failed: ${(failed ?? text).trim()}`);
}

export async function importImage(host, tar, name, changes) {
  // The tag goes inside the name: Podman does not read it anywhere else.
  const query = new URLSearchParams({ fromSrc: "-", repo: name });
  for (const change of changes) query.append("changes", change);
  checkRows(`The import of ${name}`, await call(host, "POST", `/images/create?${query}`, { body: createReadStream(tar) }));
}

export async function pullImage(host, repo, tag, timeout) {
  checkRows(`The pull of ${repo}:${tag}`, await call(host, "POST", `/images/create?${new URLSearchParams({ fromImage: repo, tag })}`, { timeout }));
}

export const removeImage = (host, name) => call(host, "DELETE", `/images/${name}?force=true`);
