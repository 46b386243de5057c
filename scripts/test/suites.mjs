// The suites in the order in which they run: what fails soonest comes first.

import { install, isDebianRoot } from "../setup/apt.mjs";
import { npm } from "../setup/dependencies.mjs";
import { root } from "../setup/state.mjs";
import { canStartOthers } from "../setup.mjs";
import { ensureCrane } from "./crane.mjs";
import { runNodeTemplates } from "./node.mjs";
import { runPytest, servicePython } from "./pytest.mjs";
import { runVitest } from "./vitest.mjs";

/** Each: its name, the engine that has to be up, and `run(env)`, which answers with the counts. */
export function suites() {
  const others = ["docker-26", "podman"].map((engine) => ({
    name: `integration:${engine}`,
    engine,
    run: integration,
    notHere: reasonToSkip(engine),
  }));
  return [
    { name: "check", run: check },
    { name: "unit", run: unit },
    { name: "service", run: runPytest },
    {
      name: "templates",
      engine: "default",
      run: templates,
      notHere: "gigabytes of packages, and every template --from a model: npm test -- templates",
    },
    { name: "node", run: runNodeTemplates },
    { name: "dev", run: dev },
    { name: "playground", run: playground },
    { name: "integration", engine: "default", run: integration },
    { name: "e2e", engine: "default", run: (env) => runVitest("e2e", env) },
    ...others,
    { name: "registries", engine: "default", run: registries, notHere: "it builds a registry with Go" },
  ];
}

/** Their own tests, and then each as an image: MODELSHIP_TEST_TEMPLATES=xgboost,onnx takes some of the images. */
async function templates(env) {
  const own = await runPytest(env, { large: true });
  const images = await runVitest("templates", env);
  return Object.fromEntries(Object.keys(own).map((key) => [key, own[key] + images[key]]));
}

/** Registries of others that have to be built first. */
async function registries(env) {
  if (isDebianRoot()) await install("skopeo");
  return await runVitest("registries", { ...env, MODELSHIP_TEST_CRANE: await ensureCrane() });
}

/** Some need a pseudo-terminal (Python has one) or a shell to complete in; where we may, none of them is skipped for that. */
async function unit(env) {
  if (isDebianRoot()) await install("python3", "zsh", "fish");
  // Most of it waits for processes and registries: a worker more than vitest takes on two cores.
  return await runVitest("unit", env, ["--maxWorkers=100%"]);
}

/** The real thing, which makes a virtualenv with whatever Python there is. */
async function dev(env) {
  if (isDebianRoot()) await install("python3", "python3-venv");
  return await runVitest("dev", env);
}

/** The service's pages in a real Chromium, and clients of other languages against a live service. */
async function playground(env) {
  if (isDebianRoot()) await install("chromium");
  return await runVitest("service", { ...env, MODELSHIP_TEST_SERVICE_PYTHON: await servicePython() });
}

/** A real engine and a real registry. Containers are asked what the service's own tests ask, skopeo what it reads of us. */
async function integration(env) {
  if (isDebianRoot()) await install("skopeo");
  return await runVitest("integration", { ...env, MODELSHIP_TEST_SERVICE_PYTHON: await servicePython() });
}

/** Formatting, lint and types: one check that holds or does not. */
async function check(env) {
  await npm(["run", "--silent", "check"], { cwd: root, env });
  return { passed: 1, failed: 0, skipped: 0 };
}

/** MODELSHIP_TEST_ENGINES=default,podman says which engines to test; without it, all that this machine can start. */
function reasonToSkip(engine) {
  const chosen = process.env.MODELSHIP_TEST_ENGINES?.split(/[ ,]+/);
  if (chosen) return chosen.includes(engine) ? undefined : "MODELSHIP_TEST_ENGINES leaves it out";
  return canStartOthers() ? undefined : "it is started from Debian packages, as root";
}
