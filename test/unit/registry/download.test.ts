import { randomBytes } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { RegistryClient } from "../../../src/registry/client.js";
import { download, verified } from "../../../src/registry/download.js";
import { digestOf } from "../../../src/registry/manifest.js";
import { type FakeServer, type Handler, json, problem, serve } from "./fake-registry.js";

const bytes = randomBytes(3_000_000);
const blob = {
  mediaType: "application/vnd.oci.image.layer.v1.tar",
  digest: digestOf(bytes),
  size: bytes.length,
};
const repository = "acme/digits";
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

type Answer = (from: number, ...rest: Parameters<Handler>) => void;

/** A registry with one blob, which it sends as `answer` says. */
async function registryWith(answer: Answer): Promise<{ client: RegistryClient; server: FakeServer }> {
  const server = await serve((request, response, raw) => {
    if (request.url === "/v2/") return json(response, 200, {});
    const from = Number(/^bytes=(\d+)-/.exec(raw.headers.range ?? "")?.[1] ?? 0);
    answer(from, request, response, raw);
  });
  const client = new RegistryClient(server.host, { credentials: async () => undefined, env: {}, backoff: 1 });
  cleanups.push(server.close, () => client.close());
  return { client, server };
}

/** What a sound registry sends from an offset on, and where it breaks off. */
const sound =
  (stop = bytes.length): Answer =>
  (from, _request, response) => {
    const head = { "content-length": String(bytes.length - from) };
    if (from === 0) response.writeHead(200, head);
    else {
      const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
      response.writeHead(206, { ...head, "content-range": range });
    }
    const end = Math.min(bytes.length, stop);
    if (end === bytes.length) response.end(bytes.subarray(from));
    else response.write(bytes.subarray(from, end), () => response.destroy());
  };

/** All of the blob, and only if it is the right one. */
function whole(client: RegistryClient, onReceived?: (bytes: number) => void): AsyncGenerator<Buffer> {
  const options = { repository, backoff: 1, ...(onReceived && { onReceived }) };
  return verified(download(client, blob, options), blob, client.registry);
}

const blobRequests = (server: FakeServer) => server.seen.filter(({ url }) => url.includes("/blobs/")).length;

async function all(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const received: Buffer[] = [];
  for await (const chunk of chunks) received.push(chunk);
  return Buffer.concat(received);
}

describe("a blob", () => {
  it("comes whole, and its bytes are counted", async () => {
    const { client } = await registryWith(sound());
    let received = 0;
    const onReceived = (length: number) => {
      received += length;
    };
    expect((await all(whole(client, onReceived))).equals(bytes)).toBe(true);
    expect(received).toBe(bytes.length);
  });

  it("is gone on with where the connection broke", async () => {
    const stops = [1_000_000, 2_200_000];
    const { client, server } = await registryWith((...given) => sound(stops.shift())(...given));
    let received = 0;
    const onReceived = (length: number) => {
      received += length;
    };
    const options = { repository, onReceived, backoff: 1 };
    expect((await all(download(client, blob, options))).equals(bytes)).toBe(true);
    expect(received).toBe(bytes.length);
    expect(blobRequests(server)).toBe(3);
  });

  it("comes right from a registry that knows no ranges", async () => {
    const stops = [1_000_000];
    const { client } = await registryWith((_from, ...rest) => sound(stops.shift())(0, ...rest));
    expect((await all(download(client, blob, { repository, backoff: 1 }))).equals(bytes)).toBe(true);
  });

  it("comes in part where a part is wanted", async () => {
    const { client } = await registryWith(sound());
    const part = await all(download(client, blob, { repository, from: 512, to: 100_000 }));
    expect(part.equals(bytes.subarray(512, 100_000))).toBe(true);
  });

  it("is waited for where the registry asks to", async () => {
    let asked = 0;
    const { client } = await registryWith((from, request, response, raw) => {
      if (asked++ === 0) return problem(response, 429, "TOOMANYREQUESTS", { "retry-after": "0" });
      sound()(from, request, response, raw);
    });
    expect((await all(whole(client))).equals(bytes)).toBe(true);
    expect(asked).toBe(2);
  });
});

describe("refused is", () => {
  const refusal = { code: "registry_failed" };

  it("a blob with a byte that is another", async () => {
    const { client } = await registryWith((_from, _request, response) => {
      const other = Buffer.from(bytes);
      other[2_000_000] = (other[2_000_000] ?? 0) ^ 1;
      response.end(other);
    });
    const error = await all(whole(client)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(refusal);
    expect((error as Error).message).toContain(blob.digest);
  });

  it("a length that is not the descriptor's, before a byte is taken", async () => {
    const { client } = await registryWith((_from, _request, response) => {
      response.writeHead(200, { "content-length": String(bytes.length + 1) });
      response.end(Buffer.concat([bytes, Buffer.alloc(1)]));
    });
    await expect(whole(client).next()).rejects.toMatchObject(refusal);
  });

  it("no more than the descriptor says of a body without an end", async () => {
    const { client } = await registryWith((_from, _request, response) => {
      const more = () => {
        while (!response.destroyed && response.write(bytes));
      };
      response.on("drain", more);
      more();
    });
    expect((await all(whole(client))).equals(bytes)).toBe(true);
  });

  it("another part than was asked for", async () => {
    const { client } = await registryWith((_from, _request, response) => {
      response.writeHead(206, { "content-range": `bytes 2048-${bytes.length - 1}/${bytes.length}` });
      response.end(bytes.subarray(2048));
    });
    await expect(all(download(client, blob, { repository, from: 512 }))).rejects.toMatchObject(refusal);
  });

  it("a registry that breaks off again and again, after some tries", async () => {
    const { client, server } = await registryWith((from, ...rest) => sound(from + 1000)(from, ...rest));
    await expect(all(download(client, blob, { repository, backoff: 1 }))).rejects.toMatchObject(refusal);
    expect(blobRequests(server)).toBeLessThan(10);
  });

  it("a blob that the registry does not have", async () => {
    const { client } = await registryWith((_from, _request, response) =>
      problem(response, 404, "BLOB_UNKNOWN"),
    );
    await expect(all(whole(client))).rejects.toMatchObject(refusal);
  });
});
