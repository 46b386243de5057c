// What becomes of an upload on bad days: fault, outcome, bytes sent twice. `node bench/ship/faults.mjs [--quick]`
// The upload is that of dist/ (node scripts/compile.mjs); the registry is the tests' stand-in, in this process, read from
// its TypeScript by the vite that vitest brings. --quick: a slow commit takes 3 s instead of 60.
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runnerImport } from "vite";
import { faults } from "./fault-list.mjs";
import { Undo } from "./undo.mjs";

const { module } = await runnerImport(join(import.meta.dirname, "../../test/setup/stand-in/registry.ts"));
const undo = new Undo();
const folder = mkdtempSync(join(tmpdir(), "modelship-faults-"));
undo.add(() => rmSync(folder, { recursive: true, force: true }));
const repository = "acme/digits";
const login = { username: "ada", password: "a password", lifetime: 300 };
const size = 130 * 1024 * 1024;
const MB = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

function newFile() {
  const content = randomBytes(size);
  const path = join(folder, "weights");
  writeFileSync(path, content);
  return { path, digest: `sha256:${createHash("sha256").update(content).digest("hex")}` };
}

/** Ends as `sendBlob` in a process of its own does; `killAt` ends the process, with SIGKILL, when so much has been sent. */
function upload(host, { path, digest }, cache, killAt = Number.POSITIVE_INFINITY) {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, "send-one.mjs"), host, repository, path, digest, String(size)],
    { env: { ...process.env, XDG_CACHE_HOME: cache, LOGIN: JSON.stringify(login) }, detached: true },
  );
  const stop = undo.add(() => child.kill("SIGKILL"));
  let text = "";
  let stderr = "";
  child.stderr.on("data", (data) => {
    stderr += data;
  });
  child.stdout.on("data", (data) => {
    text += data;
    const sent = Number(/.*^sent (\d+)$/ms.exec(text)?.[1] ?? 0);
    if (sent >= killAt) child.kill("SIGKILL");
  });
  return new Promise((resolve) => {
    child.on("close", (code, signal) => {
      stop();
      const failed = code === 0 ? undefined : /^failed (.*)$/m.exec(text)?.[1];
      resolve({ ok: code === 0, signal, said: failed ?? stderr.trim().split("\n")[0] });
    });
  });
}

async function day({ manner = "forgetful", planned, kills = [] }, index) {
  const server = await module.startStandIn({ manner, tokens: login });
  const close = undo.add(() => server.close());
  try {
    for (const fault of planned) server.inject(fault);
    const file = newFile();
    const cache = join(folder, `cache-${index}`);
    const started = performance.now();
    for (const at of kills) {
      const { signal } = await upload(server.host, file, cache, at * size);
      if (signal !== "SIGKILL") throw new Error(`The upload ended before it was killed at ${at * 100} %.`);
    }
    const { ok, said } = await upload(server.host, file, cache);
    const seconds = (performance.now() - started) / 1000;
    const { blobs, bytesReceived } = server.store.repository(repository);
    const wrong = server.store.corrupt().length > 0 || (ok && !blobs.has(file.digest));
    const leaked = server.seen.some(({ host, authorization }) => host !== server.host && authorization);
    const outcome = ok ? "arrived" : `ended: ${said}`;
    return {
      outcome: `${outcome}${wrong ? " - WITH WRONG BYTES STORED" : ""}${leaked ? " - AND THE LOGIN WENT ELSEWHERE" : ""}`,
      twice: ok ? MB(Math.max(0, bytesReceived - size)) : "",
      seconds: seconds.toFixed(1),
      bad: wrong || leaked,
    };
  } finally {
    await close();
  }
}

const kills = [
  ...["distribution", "forgetful", "lasting", "atomic"].map((manner) => ({
    fault: "SIGKILL at 75 %, started again",
    manner,
    planned: [],
    kills: [0.75],
  })),
  { fault: "SIGKILL at 30, 60 and 90 %, started again", planned: [], kills: [0.3, 0.6, 0.9] },
];

try {
  const slow = process.argv.includes("--quick") ? 3 : 60;
  console.log("| fault | registry | outcome | sent twice | s |\n| --- | --- | --- | ---: | ---: |");
  let index = 0;
  for (const one of [...faults({ slow }), ...kills]) {
    const { outcome, twice, seconds, bad } = await day(one, index++);
    const manner = typeof one.manner === "object" ? "a proxy before it" : (one.manner ?? "forgetful");
    console.log(`| ${one.fault} | ${manner} | ${outcome.replaceAll("|", "/")} | ${twice} | ${seconds} |`);
    if (bad) process.exitCode = 1;
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await undo.all();
}
