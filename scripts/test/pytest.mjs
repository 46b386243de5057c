// The Python side: the runtime's own tests, and the test that each template gives its users, as init writes it.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { install, isDebianRoot } from "../setup/apt.mjs";
import { ALREADY, SetupError, say, step } from "../setup/say.mjs";
import { run } from "../setup/shell.mjs";
import { root, statePath } from "../setup/state.mjs";
import { isNodeTemplate } from "./node.mjs";
import { runQuietly, withReports } from "./quiet.mjs";
import { callWithExample, waitsForItsUser } from "./serve.mjs";

const uvVersion = "0.13.9";

/** The runtime and the templates, or all that is too long for every day: templates with large packages, and made `--from` a model. */
export async function runPytest(env, { large = false } = {}) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  const python = await findPython();
  await withReports(async (folder) => {
    const projects = await templates(folder, env, { large });
    for (const project of large ? projects : [runtime(), nodeContract(), ...projects]) {
      const result = await runProject(project, python, folder, env).catch(failure);
      say(`${project.name}: ${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped`);
      for (const key of Object.keys(total)) total[key] += result[key];
    }
  });
  return total;
}

/** The Python that the service's own tests run in, for suites that start the service. */
export async function servicePython() {
  const { name, requirements } = runtime();
  return join(await virtualenv(name, await findPython(), requirements), bin, "python");
}

function failure(error) {
  say(error instanceof SetupError ? error.message : error.stack);
  return { passed: 0, failed: 1, skipped: 0 };
}

function runtime() {
  const cwd = join(root, "templates/service/python");
  return {
    name: "service runtime",
    venv: "service runtime",
    cwd,
    requirements: [join(cwd, "requirements.txt"), join(cwd, "requirements-test.txt")],
    // They mostly wait for services; those of one file share one.
    options: ["-n", "2", "--dist", "loadfile"],
  };
}

/** The Node service is held to the same contract, and asked by the same tests. */
function nodeContract() {
  return {
    ...runtime(),
    name: "service for Node",
    options: ["tests/contract", "-m", "not openai"],
    settings: { MODELSHIP_TEST_RUNTIME: "node" },
  };
}

/**
 * A template is tested as a user gets it: written by init, with its own pinned requirements. As it is, and on request for
 * a model of the user's too (`--from`), in whose place stands the one that the template brings.
 */
async function templates(folder, env, { large }) {
  const home = join(root, "templates/projects");
  const names = readdirSync(home).filter(
    (name) => existsSync(join(home, name, "template.yaml")) && !isNodeTemplate(join(home, name)),
  );
  const projects = [];
  for (const name of names) {
    const model = modelsOf[name] ? join(root, modelsOf[name]) : join(home, name, "model");
    const from = existsSync(model) ? [["--from", model]] : [];
    for (const given of [[], ...from]) {
      const cwd = join(folder, given.length === 0 ? name : `${name}-from`);
      const args = ["init", name, "--template", name, ...given, "--dir", cwd, "--yes"];
      await run(process.execPath, [join(root, "bin/modelship.js"), ...args], { env, cwd: folder });
      const everyDay = given.length === 0 && !isLarge(cwd);
      if (!existsSync(join(cwd, "test_model.py")) || everyDay === large) continue;
      const files = ["requirements.txt", "requirements-dev.txt"].map((file) => join(cwd, file));
      projects.push({
        name: `template ${name}${given.length === 0 ? "" : " --from"}`,
        venv: `template ${name}`,
        cwd,
        requirements: files.filter(existsSync),
        served: true,
      });
    }
  }
  return projects;
}

/** Where the template's own model is none that it would be given: it brings ONNX, and is made for Hugging Face's folders. */
const modelsOf = { "image-classification": "test/fixtures/models/hugging-face/image-classification" };

/** Whether its packages are gigabytes, or close to one. */
function isLarge(project) {
  const requirements = join(project, "requirements.txt");
  const names =
    /^(torch|transformers|vllm|sentence-transformers|tensorflow|keras|llama-cpp-python|catboost)\b/m;
  return existsSync(requirements) && names.test(readFileSync(requirements, "utf8"));
}

async function runProject(project, python, folder, env) {
  const { name, venv: shared, cwd, requirements, served = false, options = [], settings } = project;
  const venv = await virtualenv(shared ?? name, python, requirements, served);
  const report = join(folder, `${name.replaceAll(/[ -]+/g, "-")}.xml`);
  // The tree stays as it was: no caches beside the sources.
  const quiet = ["-q", "-p", "no:cacheprovider", `--junitxml=${report}`, ...options];
  const code = await runQuietly(join(venv, bin, "python"), ["-m", "pytest", ...quiet], {
    folder,
    cwd,
    env: { ...env, ...settings, PYTHONDONTWRITEBYTECODE: "1" },
  });
  const result = count(existsSync(report) ? readFileSync(report, "utf8") : "");
  if (code !== 0 && result.failed === 0) result.failed = 1; // pytest 5: no tests; others: it did not come that far
  if (served) {
    // A service that answers its own example is one more test.
    const wrong = await callWithExample(join(venv, bin, "python"), cwd, env);
    if (wrong) say(`${name}: ${wrong}`);
    result[wrong ? "failed" : "passed"] += 1;
    // What it skips until its user has written the code, it has just been seen to ask for.
    if (!wrong && waitsForItsUser(cwd)) result.skipped = 0;
  }
  return result;
}

function count(xml) {
  const attribute = (key) => Number(new RegExp(`<testsuite\\b[^>]*\\b${key}="(\\d+)"`).exec(xml)?.[1] ?? 0);
  const failed = attribute("failures") + attribute("errors");
  const skipped = attribute("skipped");
  return { passed: Math.max(0, attribute("tests") - failed - skipped), failed, skipped };
}

const bin = process.platform === "win32" ? "Scripts" : "bin";

async function findPython() {
  if (isDebianRoot()) await install("python3", "python3-venv");
  const candidates = [process.env.MODELSHIP_TEST_PYTHON, "/usr/bin/python3", "python3", "python"].filter(
    Boolean,
  );
  for (const python of candidates) {
    const found = await run(python, [
      "-c",
      "import sys, venv, ensurepip; print(*sys.version_info[:2])",
    ]).catch(() => "");
    const [major, minor] = found.split(" ").map(Number);
    if (major === 3 && minor >= 10) return python;
  }
  throw new SetupError(
    "The Python tests need Python 3.10 or later with venv; MODELSHIP_TEST_PYTHON may name it.",
    3,
  );
}

/** uv reads none of pip's settings. */
function uvEnvironment(env) {
  const theirs = {
    UV_DEFAULT_INDEX: env.PIP_INDEX_URL,
    UV_INDEX: env.PIP_EXTRA_INDEX_URL,
    UV_FIND_LINKS: env.PIP_FIND_LINKS,
    UV_INSECURE_HOST: env.PIP_TRUSTED_HOST,
    SSL_CERT_FILE: env.PIP_CERT,
    UV_HTTP_TIMEOUT: env.PIP_DEFAULT_TIMEOUT,
  };
  const set = Object.entries(theirs).filter(([, value]) => value);
  return { ...Object.fromEntries(set), ...env };
}

/** uv, which makes an environment in a quarter of pip's time. */
async function installer(python) {
  const path = statePath("venv", `uv-${uvVersion}`);
  if (!existsSync(join(path, "complete"))) {
    rmSync(path, { recursive: true, force: true });
    await run(python, ["-m", "venv", path]);
    await run(join(path, bin, "python"), ["-m", "pip", "install", "-q", `uv==${uvVersion}`]);
    mkdirSync(join(path, "complete"));
  }
  return join(path, bin, "uv");
}

/** Kept in the state folder, one for each list of requirements: the second run installs nothing. */
async function virtualenv(name, python, requirements, served = false) {
  const key = createHash("sha256").update(`${python}${served ? " and the service" : ""}`);
  for (const path of requirements) key.update(readFileSync(path));
  const path = statePath("venv", `${name.replaceAll(" ", "-")}-${key.digest("hex").slice(0, 12)}`);
  await step(`virtualenv for the ${name}`, async () => {
    if (existsSync(join(path, "complete"))) return ALREADY;
    rmSync(path, { recursive: true, force: true });
    mkdirSync(statePath("venv"), { recursive: true });
    const uv = await installer(python);
    const env = uvEnvironment(process.env);
    await run(uv, ["venv", "-q", "--python", python, path], { env });
    const install = (...args) =>
      run(uv, ["pip", "install", "-q", "--python", join(path, bin, "python"), ...args], { env });
    const files = requirements.flatMap((file) => ["-r", file]);
    const { cwd } = runtime();
    // As in an image: what the service needs by its hashes, then the project's within what the service works with.
    if (served) await install("--require-hashes", "-r", join(cwd, "requirements.txt"));
    await install(...(served ? ["-c", join(cwd, "constraints.txt")] : []), ...files);
    mkdirSync(join(path, "complete"));
  });
  return path;
}
