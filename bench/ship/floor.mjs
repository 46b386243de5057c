// The floor: each file in one streaming PATCH and a PUT, its SHA-256 taken on the way. No layers, manifest, retries or
// progress; nothing that ships weights and reads each byte once can do less. `node floor.mjs HOST:PORT REPOSITORY FILE...`
import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import http from "node:http";

const [address, repository, ...files] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function request(method, url, headers, send) {
  return new Promise((resolve, reject) => {
    const sending = http.request(url, { method, agent, headers }, (response) => {
      response.resume().on("end", () => resolve(response));
    });
    sending.on("error", reject);
    if (send) send(sending).catch(reject);
    else sending.end();
  });
}

async function ship(file) {
  const empty = { "Content-Length": 0 };
  const origin = `http://${address}`;
  const opened = await request("POST", `${origin}/v2/${repository}/blobs/uploads/`, empty);
  expect(opened, 202);
  const hash = createHash("sha256");
  const headers = { "Content-Type": "application/octet-stream", "Content-Length": statSync(file).size };
  const patched = await request(
    "PATCH",
    new URL(opened.headers.location, origin),
    headers,
    async (sending) => {
      for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
        const full = !sending.write(chunk);
        hash.update(chunk);
        if (full) await new Promise((resolve) => sending.once("drain", resolve));
      }
      sending.end();
    },
  );
  expect(patched, 202);
  const digest = `sha256:${hash.digest("hex")}`;
  const commit = new URL(patched.headers.location, origin);
  commit.searchParams.set("digest", digest);
  expect(await request("PUT", commit, empty), 201);
  return digest;
}

function expect(response, status) {
  if (response.statusCode !== status)
    throw new Error(`The registry answered ${response.statusCode}, not ${status}.`);
}

const digests = [];
for (const file of files) digests.push(await ship(file));
agent.destroy();
console.log(JSON.stringify({ digests }));
