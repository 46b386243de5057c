import { type ChildProcess, execFile, spawn } from "node:child_process";
import { symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { folderWith } from "./folder.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const run = promisify(execFile);

/** Sends one file as a layer, its digest unknown beforehand, and says how far it is and how it ended. */
const script = `
import { stat } from "node:fs/promises";
import { RegistryClient } from "./registry/client.js";
import { sendBlob } from "./registry/upload/send-blob.js";
import { openDigests } from "./weights/digests.js";
import { openLayers } from "./weights/layer.js";
import { planLayers } from "./weights/layers.js";
const [registry, repository, file, username, password, hashFirst] = process.argv.slice(2);
const { size } = await stat(file);
const plans = planLayers([{ path: "app/model/weights.bin", file, size, mode: 0o644 }]);
const [layer] = await openLayers(plans, await openDigests({ XDG_CACHE_HOME: "/dev/null/none" }));
if (hashFirst) await layer.known();
const credentials = async () => (username ? { kind: "basic", username, password } : undefined);
const client = new RegistryClient(registry, { credentials, backoff: 20 });
const say = (value) => process.stdout.write(JSON.stringify(value) + "\\n");
const started = performance.now();
const before = process.cpuUsage();
const result = await sendBlob(client, layer, { repository, onProgress: ({ sent }) => say({ sent }) });
const { user, system } = process.cpuUsage(before);
const seconds = (performance.now() - started) / 1000;
say({ result, seconds, cpu: (user + system) / 1e6, peak: process.resourceUsage().maxRSS / 1024 });
client.close();
`;

export interface CompiledPush {
  start: (options: {
    registry: string;
    repository: string;
    file: string;
    cache: string;
    username?: string;
    password?: string;
    onSent?: (sent: number, child: ChildProcess) => void;
  }) => Promise<{ digest: string; bytesSent: number; bytesResumed: number } | undefined>;
}

/** A push in a process of its own, which can be killed. It ends with its result, or with nothing when it was. */
export async function compilePush(): Promise<CompiledPush> {
  const folder = await folderWith({ "package.json": '{"type":"module"}', "push.js": script });
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  const compilerOptions = { rootDir: join(root, "src"), outDir: folder, declaration: false };
  const files = ["weights/layer.ts", "registry/upload/send-blob.ts"].map((path) => join(root, "src", path));
  const config = { extends: join(root, "tsconfig.build.json"), compilerOptions, include: [], files };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
  await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder]);
  return {
    start: async ({ registry, repository, file, cache, username = "", password = "", onSent }) => {
      const child = spawn(
        process.execPath,
        [join(folder, "push.js"), registry, repository, file, username, password],
        { env: { ...process.env, XDG_CACHE_HOME: cache }, stdio: ["ignore", "pipe", "inherit"] },
      );
      let result: { digest: string; bytesSent: number; bytesResumed: number } | undefined;
      for await (const line of createInterface({ input: child.stdout })) {
        const said = JSON.parse(line);
        if ("sent" in said) onSent?.(said.sent, child);
        else result = said.result;
      }
      return result;
    },
  };
}
