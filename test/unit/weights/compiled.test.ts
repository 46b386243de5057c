import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { symlink, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { folderWith } from "../../setup/folder.js";

const run = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

/** What prints what, after one layer of 512 MiB; nothing in it ends the process. */
const script = `
import { openDigests } from "./weights/digests.js";
import { openLayers } from "./weights/layer.js";
import { planLayers } from "./weights/layers.js";
const [file, home] = process.argv.slice(2);
const plans = planLayers([{ path: "app/x", file, size: 512 * 1024 * 1024, mode: 0o644 }]);
const [layer] = await openLayers(plans, await openDigests({ XDG_CACHE_HOME: home }), { ownDigests: true });
for await (const piece of layer.open()) break;
const before = performance.eventLoopUtilization();
const { digest } = await layer.known();
const { utilization } = performance.eventLoopUtilization(before);
const files = await layer.digestedFiles();
const peak = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ digest, file: files[0].digest, utilization, peak }));
`;

it("compiled, layers are hashed beside the main thread in little memory, and the process ends by itself", async () => {
  const folder = await folderWith({
    "package.json": '{"type":"module"}',
    "large.bin": "",
    "script.js": script,
  });
  await truncate(join(folder, "large.bin"), 512 * 1024 * 1024);
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  await writeFile(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: join(root, "tsconfig.build.json"),
      compilerOptions: { rootDir: join(root, "src"), outDir: folder, declaration: false },
      include: [],
      files: [join(root, "src/weights/layer.ts")],
    }),
  );
  await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder]);
  const { stdout } = await run(
    process.execPath,
    [join(folder, "script.js"), join(folder, "large.bin"), folder],
    {
      timeout: 60_000,
    },
  );
  const seen = JSON.parse(stdout);
  const zeros = createHash("sha256");
  for (let mega = 0; mega < 512; mega++) zeros.update(Buffer.alloc(1024 * 1024));
  expect(seen).toMatchObject({
    file: `sha256:${zeros.digest("hex")}`,
    digest: expect.stringMatching(/^sha256:/),
  });
  expect(seen.utilization).toBeLessThan(0.5);
  expect(seen.peak).toBeLessThan(150);
}, 60_000);
