import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { packagePath } from "../../src/package.js";
import { modelship, run } from "../setup/cli.js";
import { folderWith } from "../setup/folder.js";
import { servicePython, startService } from "../setup/service.js";
import { compile, languages, makeClient, program } from "./client-programs.js";
import { code, digits, fields, slow, story, versions, writer } from "./models.js";

const key = "a-key-of-the-test-0123456789";

test("what is made passes the strict checkers of its language, whatever the names are", {
  timeout: 180_000,
}, async () => {
  const folder = await folderWith({ "package.json": '{"type": "module"}', "biome.json": '{"root": true}' });
  const models = { fields, story, writer, code, versions };
  for (const [name, files] of Object.entries(models)) {
    const entry = name === "versions" ? { MODELSHIP_ENTRY: "v1=first.py:Model,v2=second.py:Model" } : {};
    const { url } = await startService(files, entry);
    for (const language of languages) await makeClient(language, url, folder, {}, name);
  }
  const names = Object.keys(models);
  const python = names.map((name) => `${name}.py`);
  const checks = [
    ["-m", "py_compile", ...python],
    ["-m", "ruff", "check", "--isolated", "--no-cache", ...python],
    ["-m", "mypy", "--strict", "--python-version", "3.10", "--cache-dir", "cache", ...python],
    ["-m", "mypy", "--strict", "--python-version", "3.13", "--cache-dir", "cache", ...python],
    // Nothing of a name has become code.
    ["-W", "error", "-c", names.map((name) => `import ${name}`).join("; ")],
  ];
  for (const args of checks) {
    const checked = await run(servicePython(), args, { cwd: folder });
    expect(checked.code, checked.stdout + checked.stderr).toBe(0);
  }
  const typescript = names.map((name) => `${name}.ts`);
  const compiled = await compile(folder, typescript, "out");
  expect(compiled.code, compiled.stdout).toBe(0);
  for (const name of names) {
    const loaded = await run(process.execPath, [`out/${name}.js`], { cwd: folder });
    expect(loaded, name).toMatchObject({ code: 0, stdout: "", stderr: "" });
  }
  const biome = packagePath("node_modules/@biomejs/biome/bin/biome");
  const linted = await run(process.execPath, [biome, "lint", "--error-on-warnings", ...typescript], {
    cwd: folder,
  });
  expect(linted.code, linted.stdout + linted.stderr).toBe(0);
});

describe.each(languages)("%s", (language) => {
  const text = (python: string, typescript: string) => (language === "python" ? python : typescript);

  test("rows, errors with their own types, and a key that only the environment has", async () => {
    const { url } = await startService(digits, {
      MODELSHIP_API_KEYS: `test=${key}`,
      MODELSHIP_MAX_ROWS: "2",
    });
    const said = await program(
      language,
      url,
      text(
        `
row: Input = {"pixels": [0.0] * 56 + [16.0] * 8}
with Client() as client:
    show(client.predict(row)["digit"])
    show([one["digit"] for one in client.predict_many([row] * 5)])
    show(client.predict_many([]))
    try:
        client.predict({"pixels": [17.0]})
    except InvalidInputError as error:
        show(error.status, error.code, error.details[0]["path"], len(error.request_id) > 8)
    told(lambda: Client(api_key="another").predict(row))
    told(lambda: client.predict({"pixels": [float("nan")]}))
client.close()
told(lambda: client.predict(row))

async def main():
    async with AsyncClient() as client:
        show([one["digit"] for one in await asyncio.gather(*(client.predict(row) for _ in range(3)))])
asyncio.run(main())
`,
        `
import { type Input, InvalidInputError } from "./client.js";
const row: Input = { pixels: Array.from({ length: 64 }, (_, at) => (at < 56 ? 0 : 16)) };
const client = new Client();
show((await client.predict(row)).digit);
show((await client.predictMany(Array(5).fill(row))).map(({ digit }) => digit));
show(await client.predictMany([]));
await client.predict({ pixels: [17] }).catch((error) => {
  if (error instanceof InvalidInputError)
    show(error.status, error.code, error.details[0]?.path, (error.requestId ?? "").length > 8);
});
await told(() => new Client({ apiKey: "another" }).predict(row));
await told(() => client.predict({ pixels: [Number.NaN] }));
client.close();
client.close();
await told(() => client.predict(row));
const other = new Client();
show((await Promise.all([row, row, row].map((one) => other.predict(one)))).map(({ digit }) => digit));
`,
      ),
      { MODELSHIP_API_KEY: key },
    );
    expect(said).toEqual([
      7,
      [7, 7, 7, 7, 7],
      [],
      [422, "invalid_input", "rows[0].pixels[0]", true],
      ["AuthenticationError", 401, "invalid_key"],
      [text("ValueError", "TypeError"), null, null],
      ["ServiceError", null, null],
      [7, 7, 7],
    ]);
  });

  test("a rate limit is waited for, as long as the service asks, or told", async () => {
    const settings = { MODELSHIP_API_KEYS: `test=${key}`, MODELSHIP_RATE_LIMIT: "2/second" };
    const { url } = await startService(slow, settings);
    const said = await program(
      language,
      url,
      text(
        `
began = time.monotonic()
with Client() as client:
    for _ in range(4):
        client.predict({"seconds": 0})
show(time.monotonic() - began > 0.9)
with Client(max_retries=0) as client:
    told(lambda: [client.predict({"seconds": 0}) for _ in range(4)])
`,
        `
const began = performance.now();
const client = new Client();
for (let at = 0; at < 4; at += 1) await client.predict({ seconds: 0 });
show(performance.now() - began > 900);
const hasty = new Client({ maxRetries: 0 });
await told(async () => {
  for (let at = 0; at < 4; at += 1) await hasty.predict({ seconds: 0 });
});
`,
      ),
      { MODELSHIP_API_KEY: key },
    );
    expect(said).toEqual([true, ["RateLimitError", 429, "rate_limited"]]);
  });

  test("a stream: pieces, an error on the way, and an end when it is left", async () => {
    const { url, root } = await startService(story, { MODELSHIP_MAX_STREAMS: "1" });
    const said = await program(
      language,
      url,
      text(
        `
client = Client()
with client.stream({}) as pieces:
    show(next(pieces)["text"])
with client.stream({}) as pieces:  # there is one stream at a time: the first is over
    show(next(pieces)["text"])

async def main():
    async with AsyncClient() as other:
        async for piece in other.stream({}):
            show(piece["text"])
            break
        waiting = asyncio.ensure_future(other.collect({}))
        await asyncio.sleep(0.3)
        waiting.cancel()
        try:
            await waiting
        except asyncio.CancelledError:
            show("cancelled")
asyncio.run(main())
open(${JSON.stringify("GO")}, "w").close()
def failing():
    for piece in client.stream({"fail": True}):
        if piece["text"] != ".":
            show(piece["text"])
told(failing)
show(client.collect({})[-1]["text"])
`,
        `
const client = new Client();
for await (const { text } of await client.stream({})) {
  show(text);
  break;
}
const stream = await client.stream({}); // there is one stream at a time: the first is over
for await (const { text } of stream) {
  if (text !== ".") show(text);
  stream.close();
  break;
}
for await (const { text } of await client.stream({})) {
  show(text);
  break;
}
const controller = new AbortController();
setTimeout(() => controller.abort(new Error("cancelled")), 300);
await client.collect({}, { signal: controller.signal }).catch((error) => show(error.message));
const { writeFileSync } = (globalThis as any).process.getBuiltinModule("node:fs");
writeFileSync("GO", "");
await told(async () => {
  for await (const { text } of await client.stream({ fail: true })) if (text !== ".") show(text);
});
show((await client.collect({})).at(-1)?.text);
`,
      ).replaceAll('"GO"', JSON.stringify(join(root, "go"))),
    );
    expect(said).toEqual([
      "one",
      "one",
      "one",
      "cancelled",
      "one",
      "two",
      ["StreamError", 200, "model_error"],
      "two",
    ]);
  });

  test("jobs: started, waited for, found again, cancelled", async () => {
    const { url } = await startService(slow, { MODELSHIP_BATCH_MAX_ROWS: "1" });
    const said = await program(
      language,
      url,
      text(
        `
client = Client()
job = client.start_job({"seconds": 0.3})
show(job.status)
show(job.wait())
show(client.find_job(job.id).result())
show(client.start_job_many([{"seconds": 0}, {"seconds": 0.01}]).wait(timeout=20))
long = client.start_job_many([{"seconds": 0.4}] * 50)
told(lambda: long.wait(timeout=0.3))
long.cancel()
told(long.result)
told(lambda: client.start_job({"seconds": "long"}))
told(lambda: client.find_job("../model"))
`,
        `
const client = new Client();
const job = await client.startJob({ seconds: 0.3 });
show(job.status);
show(await job.wait());
show((await client.findJob(job.id)).result());
show(await (await client.startJobMany([{ seconds: 0 }, { seconds: 0.01 }])).wait({ timeoutMs: 20_000 }));
const long = await client.startJobMany(Array(50).fill({ seconds: 0.4 }));
await told(() => long.wait({ timeoutMs: 300 }));
await long.cancel();
await told(async () => long.result());
await told(() => client.startJob({ seconds: "long" as unknown as number }));
await told(() => client.findJob("../model"));
`,
      ),
    );
    expect(said).toEqual([
      "queued",
      { slept: 0.3 },
      { slept: 0.3 },
      [{ slept: 0 }, { slept: 0.01 }],
      ["ServiceTimeoutError", null, null],
      ["JobError", 200, "cancelled"],
      ["InvalidInputError", 422, "invalid_input"],
      ["NotFoundError", 404, "not_found"],
    ]);
  });

  test("chat, texts and embeddings", async () => {
    const { url } = await startService(writer, { MODELSHIP_NAME: "own", MODELSHIP_MAX_ROWS: "2" });
    const said = await program(
      language,
      url,
      text(
        `
client = Client()
hello = [{"role": "user", "content": "hello"}]
show(client.chat(hello, max_tokens=5))
show("".join(client.chat_stream(hello)))
show(client.complete("on"), "".join(client.complete_stream("off")))
show(client.embed(["a", "bb", "ccc"]))
told(lambda: list(client.chat_stream([{"role": "user", "content": "fail"}])))
told(lambda: client.chat([]))
`,
        `
const client = new Client();
const hello = [{ role: "user", content: "hello" }];
const all = async (stream: AsyncIterable<string>) => {
  let text = "";
  for await (const piece of stream) text += piece;
  return text;
};
show(await client.chat(hello, { max_tokens: 5 }));
show(await all(await client.chatStream(hello)));
show(await client.complete("on"), await all(await client.completeStream("off")));
show(await client.embed(["a", "bb", "ccc"]));
await told(async () => all(await client.chatStream([{ role: "user", content: "fail" }])));
await told(() => client.chat([]));
`,
      ),
    );
    expect(said).toEqual([
      "hello 5",
      "hello 9",
      ["on and on", "off and on"],
      [
        [1, 0.5],
        [2, 0.5],
        [3, 0.5],
      ],
      ["StreamError", 200, "model_error"],
      ["BadRequestError", 400, "invalid_request"],
    ]);
  });

  test("a slow service, one that is down, and one that comes back", async () => {
    const { url } = await startService(slow);
    const trouble = await troubled();
    const said = await program(
      language,
      url,
      text(
        `
told(lambda: Client(timeout=0.3).predict({"seconds": 3}))
told(lambda: Client("http://127.0.0.1:9", max_retries=1).predict({"seconds": 0}))
client = Client(${JSON.stringify(trouble.url)}, max_retries=4)
show(client.predict({"seconds": 0}))
told(lambda: client.start_job({"seconds": 0}))
told(lambda: Client(${JSON.stringify(trouble.url)}, timeout=2).predict({"seconds": 60}))
`,
        `
await told(() => new Client({ timeoutMs: 300 }).predict({ seconds: 3 }));
await told(() => new Client({ url: "http://127.0.0.1:9", maxRetries: 1 }).predict({ seconds: 0 }));
const client = new Client({ url: ${JSON.stringify(trouble.url)}, maxRetries: 4 });
show(await client.predict({ seconds: 0 }));
await told(() => client.startJob({ seconds: 0 }));
await told(() => new Client({ url: ${JSON.stringify(trouble.url)}, timeoutMs: 2000 }).predict({ seconds: 60 }));
`,
      ),
    );
    expect(said).toEqual([
      ["ServiceTimeoutError", null, null],
      ["ServiceUnreachableError", null, null],
      { slept: 0 },
      ["ServerError", 502, "http_502"],
      ["ServerError", 503, "not_ready"],
    ]);
    // Five for the first, one for the job, which nobody may start twice, and one where the wait is too long.
    expect(trouble.asked).toEqual([503, "reset", 502, "reset", 200, 502, 503].map(String));
  });
});

/** A gateway in trouble: it answers so in turn. */
async function troubled(): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const answers = ["503", "reset", "502", "reset", "200", "502", "503"];
  const server: Server = createServer((request, response) => {
    const answer = answers[asked.length] ?? "500";
    asked.push(answer);
    request.resume();
    if (answer === "reset") return request.socket.destroy();
    const wait = asked.length > 1 ? "60" : "0";
    if (answer === "503") response.setHeader("retry-after", wait);
    response.statusCode = Number(answer);
    response.setHeader("content-type", "application/json");
    const error = { code: "not_ready", message: "it is not ready", request_id: "r-1" };
    if (answer === "502") response.end("<html>Bad gateway</html>");
    else response.end(JSON.stringify(answer === "200" ? { rows: [{ slept: 0 }] } : { error }));
    return undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

test("a file that is no client stays, and one that is the same is left alone", async () => {
  const { url } = await startService(digits);
  const folder = await folderWith({ "client.py": "mine = True\n" });
  const refused = await modelship(["client", "python", "--url", url], { cwd: folder });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("client.py is there, and is no client of modelship.");
  await writeFile(join(folder, "client.py"), "");
  const forced = await modelship(["client", "python", "--url", url, "--force"], { cwd: folder });
  expect(forced).toMatchObject({ code: 0, stdout: `${join(folder, "client.py")}\n` });
  const again = await modelship(["client", "python", "--url", url, "--json"], { cwd: folder });
  expect(JSON.parse(again.stdout)).toMatchObject({ language: "python", api: "v1", unchanged: true });
  const shown = await modelship(["client", "typescript", "--url", url, "--output", "-"], { cwd: folder });
  expect(shown.stdout).toContain("export interface Input {\n  /** 8 rows of 8 pixels");
  const versioned = await modelship(["client", "python", "--url", url, "--api", "v7"], { cwd: folder });
  expect(versioned).toMatchObject({ code: 2 });
  expect(versioned.stderr).toContain("It has: v1.");
});

test("an ONNX graph alone makes the client that its service makes", async () => {
  const model = await readFile(packagePath("templates/projects/onnx/model/wine.onnx"));
  const folder = await folderWith({
    "modelship.yaml": "name: wine\nversion: 2.0.0\nmodel:\n  entry: onnx\n  files: wine.onnx\n",
    "requirements.txt": "onnxruntime\n",
    "wine.onnx": model,
  });
  const env = { MODELSHIP_NAME: "wine", MODELSHIP_VERSION: "2.0.0", MODELSHIP_ENTRY: "onnx" };
  const { url } = await startService({ "wine.onnx": model }, env);
  const noEngine = { DOCKER_HOST: "unix:///nowhere" };
  for (const language of languages) {
    const args = ["client", language, "--output", "-"];
    const alone = await modelship(args, { cwd: folder, env: noEngine });
    const asked = await modelship([...args, "--url", url], { cwd: folder });
    const address = url.replace(/\/$/, "");
    expect(asked.stdout).toContain(address);
    expect(alone).toMatchObject({ code: 0, stdout: asked.stdout.replace(address, "http://127.0.0.1:8080") });
  }
  await writeFile(join(folder, "modelship.yaml"), "name: wine\n");
  const refused = await modelship(["client", "python"], { cwd: folder, env: noEngine });
  expect(refused.code).toBe(5);
  expect(refused.stderr).toContain("There is no running service to make the client from.");
});
