import { expect, it } from "vitest";
import { modelship } from "../setup/cli.js";
import { cleanImagesOf, networkFlags, testEngine } from "../setup/engine.js";
import { smallProject } from "../setup/project.js";

it("a GPU that is not there ends the service, unless the CPU is allowed", async () => {
  const { root, name } = await smallProject();
  cleanImagesOf(await testEngine(), name);
  const env = { MODELSHIP_ACCELERATOR: "cuda" };
  const flags = ["run", "--detach", "--port", "0", ...networkFlags];
  const refused = await modelship(flags, { cwd: root, env });
  expect(refused.code).toBe(5);
  expect(refused.stderr).toContain(
    "CUDA was asked for and cannot be used: there is no NVIDIA driver in this container",
  );
  const allowed = await modelship([...flags, "--allow-cpu"], { cwd: root, env });
  expect(allowed.code, allowed.stderr).toBe(0);
  const logs = await modelship(["logs", name], { cwd: root });
  expect(logs.stdout + logs.stderr).toContain("computes on the CPU, which was allowed");
  await modelship(["stop", name], { cwd: root });
});
