import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { freePort, isPortFree } from "../../../src/deploy/ports.js";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

function listen(host: string): Promise<number> {
  const server = createServer();
  servers.push(server);
  return new Promise((resolve) => {
    server.listen({ host, port: 0 }, () => resolve((server.address() as AddressInfo).port));
  });
}

test("a free port can be listened on, and is busy then", async () => {
  const port = await freePort("127.0.0.1");
  expect(await isPortFree("127.0.0.1", port)).toBe(true);
  const busy = await listen("127.0.0.1");
  expect(await isPortFree("127.0.0.1", busy)).toBe(false);
  expect(await isPortFree("0.0.0.0", busy)).toBe(false);
});

test("a port that is taken on all addresses is taken on this one", async () => {
  expect(await isPortFree("127.0.0.1", await listen("0.0.0.0"))).toBe(false);
});
