// A project served by the runtime as its image would, without the image: what init writes has to answer its own example.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { root } from "../setup/state.mjs";

const patience = 180_000;

/** What is wrong, or nothing. A project that still has its `TODO(modelship)` has to say so instead of serving. */
export async function callWithExample(python, project, env) {
  const { parse } = await import("yaml");
  const { model } = parse(readFileSync(join(project, "modelship.yaml"), "utf8"));
  const service = spawn(python, ["-m", "modelship_service"], {
    cwd: project,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...env,
      PYTHONPATH: join(root, "templates/service/python"),
      PYTHONDONTWRITEBYTECODE: "1",
      MODELSHIP_PORT: "0",
      MODELSHIP_ENTRY: model?.entry ?? "model.py:Model",
      MODELSHIP_FILES: join(project, model?.files ?? "model"),
    },
  });
  const late = setTimeout(() => service.kill("SIGKILL"), patience);
  const ended = new Promise((resolve) => service.once("close", resolve));
  let errors = "";
  service.stderr.on("data", (data) => {
    errors = `${errors}${data}`.slice(-4000);
  });
  try {
    const started = await start(service);
    if (started.reason)
      return isUnfinished(project, started.reason) ? undefined : `${started.reason}\n${errors}`;
    return await answers(`http://127.0.0.1:${started.port}`, project);
  } catch (error) {
    return `${error.message}\n${errors}`;
  } finally {
    clearTimeout(late);
    service.kill("SIGTERM");
    await ended;
  }
}

function isUnfinished(project, reason) {
  return waitsForItsUser(project) && /TODO\(modelship\)/.test(reason);
}

/** Whether a project's code has a place that nobody but its user can write. */
export function waitsForItsUser(project) {
  const code = join(project, "model.py");
  return existsSync(code) && readFileSync(code, "utf8").includes("TODO(modelship)");
}

/** Reads the log until the service is ready, or says why it is not. */
async function start(service) {
  let port;
  for await (const line of createInterface({ input: service.stdout })) {
    const entry = JSON.parse(line);
    if (entry.event === "listening") port = entry.port;
    if (entry.event === "ready") {
      service.stdout.resume();
      return { port };
    }
    if (entry.event === "model_failed" || entry.event === "settings_invalid") return { reason: entry.reason };
  }
  return { reason: "the service ended before it was ready" };
}

async function answers(url, project) {
  const { name, methods = ["predict"] } = await (await fetch(`${url}/v1/model`)).json();
  const path = join(project, "examples/request.json");
  const example = existsSync(path) ? readFileSync(path, "utf8") : undefined;
  // As OpenAI's API has it, a request names the model that it is for.
  const named = example === undefined ? undefined : JSON.stringify({ ...JSON.parse(example), model: name });
  const calls = {
    predict: ["/v1/predict", example],
    embed: ["/v1/embeddings", named],
    chat: ["/v1/chat/completions", named],
  };
  for (const method of methods) {
    const [route, body] = calls[method] ?? [];
    if (body === undefined) continue;
    const headers = { "content-type": "application/json" };
    const response = await fetch(url + route, { method: "POST", headers, body });
    const text = await response.text();
    if (response.status !== 200)
      return `${route} answered its example with ${response.status}: ${text.slice(0, 500)}`;
  }
  return undefined;
}
