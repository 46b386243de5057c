// A registry that takes everything, throws it away and answers as one does: what is left is the client's own speed.
// `node bench/ship/null-registry.mjs [port]` prints its address. It believes every digest; GET /-/bytes says what came.
import { createHash, randomUUID } from "node:crypto";
import http from "node:http";

const small = 4 * 1024 * 1024;
/** Digest to size; the bytes too of what is small enough to be read back: manifests and configurations. */
const blobs = new Map();
const manifests = new Map();
const uploads = new Map();
let received = 0;

const server = http.createServer({ requestTimeout: 0 }, (request, response) => {
  answer(request, response).catch(() => request.destroy());
});

async function answer(request, response) {
  const url = new URL(request.url, "http://registry");
  const body = await take(request);
  const say = (status, headers = {}, content) => {
    response.writeHead(status, { "Content-Length": content?.length ?? 0, ...headers });
    response.end(request.method === "HEAD" ? undefined : content);
  };
  if (url.pathname === "/v2/") return say(200);
  if (url.pathname === "/-/bytes") return say(200, {}, Buffer.from(String(received)));
  const [, repository, kind, id] =
    /^\/v2\/(.+)\/(blobs\/uploads|blobs|manifests)\/(.*)$/.exec(url.pathname) ?? [];
  if (kind === "blobs/uploads") return upload(request.method, url, repository, id, body, say);
  if (kind === "blobs") return stored(blobs.get(id), "application/octet-stream", id, say);
  if (kind !== "manifests") return say(404);
  if (request.method === "PUT") {
    const digest = `sha256:${createHash("sha256").update(body.content).digest("hex")}`;
    const manifest = { ...body, digest, type: request.headers["content-type"] };
    for (const name of [id, digest]) manifests.set(`${repository}:${name}`, manifest);
    return say(201, { Location: `/v2/${repository}/manifests/${digest}`, "Docker-Content-Digest": digest });
  }
  const manifest = manifests.get(`${repository}:${id}`);
  return stored(manifest, manifest?.type, manifest?.digest, say);
}

function stored(thing, type, digest, say) {
  if (!thing) return say(404);
  const headers = { "Content-Type": type, "Docker-Content-Digest": digest };
  say(200, { ...headers, "Content-Length": thing.size }, thing.content);
}

function upload(method, url, repository, id, body, say) {
  if (method === "GET") return uploads.has(id) ? say(204, state(repository, id)) : say(404);
  if (method === "DELETE") return say(uploads.delete(id) ? 204 : 404);
  if (method === "POST") {
    const wanted = url.searchParams.get("mount");
    if (wanted && blobs.has(wanted)) return say(201, { Location: `/v2/${repository}/blobs/${wanted}` });
    const session = randomUUID();
    uploads.set(session, { size: 0, parts: [] });
    return say(202, state(repository, session));
  }
  const open = uploads.get(id);
  if (!open) return say(404);
  open.size += body.size;
  open.parts.push(body.content);
  if (method === "PATCH") return say(202, state(repository, id));
  const digest = url.searchParams.get("digest");
  uploads.delete(id);
  const kept = open.parts.every((part) => part !== undefined) ? Buffer.concat(open.parts) : undefined;
  blobs.set(digest, { size: open.size, content: kept });
  say(201, { Location: `/v2/${repository}/blobs/${digest}`, "Docker-Content-Digest": digest });
}

const state = (repository, id) => ({
  Location: `/v2/${repository}/blobs/uploads/${id}`,
  "Docker-Upload-UUID": id,
  Range: `0-${Math.max(0, (uploads.get(id)?.size ?? 0) - 1)}`,
});

async function take(request) {
  let size = 0;
  let parts = [];
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= small) parts.push(chunk);
    else parts = [];
  }
  received += size;
  return { size, content: size <= small ? Buffer.concat(parts) : undefined };
}

server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  console.log(`127.0.0.1:${server.address().port}`);
});
