import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { listTemplates } from "../../src/scaffold/template.js";
import { modelship } from "../setup/cli.js";
import { cleanImagesOf, networkFlags, testEngine } from "../setup/engine.js";
import { folderWith } from "../setup/folder.js";

/** MODELSHIP_TEST_TEMPLATES=xgboost,torch takes some of them: the images of a few are gigabytes. */
const chosen = process.env.MODELSHIP_TEST_TEMPLATES?.split(/[ ,]+/);
const templates = (await listTemplates()).map(({ name }) => name);
const names = templates.filter((name) => chosen?.includes(name) ?? true);

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

describe.each(names)("the template %s", (template) => {
  it("is built, runs, and answers its own example", async () => {
    const name = `template-${template}`;
    const cwd = await folderWith({});
    cleanImagesOf(engine, name);
    const init = await modelship(["init", name, "--template", template, "--yes"], { cwd });
    expect(init.code, init.stderr).toBe(0);
    const project = join(cwd, name);
    onTestFinished(async () => void (await modelship(["stop", name], { cwd: project })));
    const nodeBase = template.startsWith("node-") && process.env.MODELSHIP_TEST_NODE_BASE;
    const run = await modelship(["run", "--detach", "--port", "0", "--json", ...networkFlags], {
      cwd: project,
      ...(nodeBase && { env: { MODELSHIP_IMAGE_BASE: nodeBase } }),
    });
    expect(run.code, run.stderr).toBe(0);
    const { url } = JSON.parse(run.stdout);
    const example = JSON.parse(await readFile(join(project, "examples/request.json"), "utf8"));
    const model = (await (await fetch(new URL("/v1/model", url))).json()) as Model;
    for (const method of model.methods ?? ["predict"]) {
      const route = routes[method];
      if (route === undefined) continue;
      // As OpenAI's API has it, a request names the model that it is for.
      const body = JSON.stringify(method === "predict" ? example : { ...example, model: model.name });
      const headers = { "content-type": "application/json" };
      const answer = await fetch(new URL(route, url), { method: "POST", headers, body });
      expect(answer.status, await answer.text()).toBe(200);
    }
  });
});

interface Model {
  name: string;
  methods?: string[];
}

const routes: Readonly<Record<string, string>> = {
  predict: "/v1/predict",
  embed: "/v1/embeddings",
  chat: "/v1/chat/completions",
};
