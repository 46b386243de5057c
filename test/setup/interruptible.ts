import { rm } from "node:fs/promises";
import { createServer, connect as dial, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A socket that leads to the engine's own until it is cut, as when a daemon is killed. */
export async function interruptible(socket: string): Promise<{ path: string; cut: () => void }> {
  const path = join(tmpdir(), `modelship-test-${process.pid}-${Date.now()}.sock`);
  const open = new Set<Socket>();
  const server = createServer((from) => {
    const to = dial(socket);
    for (const one of [from, to]) {
      open.add(one);
      one.on("error", () => {});
      one.on("close", () => {
        from.destroy();
        to.destroy();
      });
    }
    from.pipe(to).pipe(from);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const cut = () => {
    server.close();
    for (const one of open) one.destroy();
  };
  onTestFinished(async () => {
    cut();
    await rm(path, { force: true });
  });
  return { path, cut };
}
