import { describe, expect, it } from "vitest";
import { modelship } from "../setup/cli.js";
import { folderWith } from "../setup/folder.js";
import { smallProject } from "../setup/project.js";

interface Report {
  ok: boolean;
  checks: { name: string; status: string; message: string; hint?: string }[];
}

async function doctor(cwd: string, env: NodeJS.ProcessEnv = {}) {
  const said = await modelship(["doctor", "--json"], { cwd, env });
  const report = JSON.parse(said.stdout) as Report;
  const status = Object.fromEntries(report.checks.map((check) => [check.name, check.status]));
  const message = (name: string) => report.checks.find((check) => check.name === name)?.message ?? "";
  return { ...said, report, status, message };
}

describe("modelship doctor", () => {
  it("finds nothing wrong with a sound project on this machine", async () => {
    const { root, name } = await smallProject();
    const { code, report, status, message } = await doctor(root);
    expect(code, JSON.stringify(report)).toBe(0);
    expect(report.ok).toBe(true);
    expect(status).toMatchObject({
      engine: "ok",
      builder: "ok",
      storage: "ok",
      "base image": "ok",
      project: "ok",
    });
    expect(message("project")).toBe(`${name} 1.0.0: 3 files of code, 1 model file`);
  });

  it("works outside a project, for the machine alone", async () => {
    const { code, status } = await doctor(await folderWith({}));
    expect(code).toBe(0);
    expect(status).toMatchObject({ engine: "ok", project: "skipped", "base image": "skipped" });
  });

  it("ends with 3 without an engine, and still looks at the rest", async () => {
    const { root } = await smallProject();
    const { code, status } = await doctor(root, { DOCKER_HOST: "unix:///nowhere/docker.sock" });
    expect(code).toBe(3);
    expect(status).toMatchObject({ engine: "failed", project: "ok" });
  });

  it("ends with 2 for a project that cannot be built, and says why", async () => {
    const broken = await smallProject({ "modelship.yaml": "name: a\nmodel: { files: absent/ }\n" });
    const { code, status, message } = await doctor(broken.root);
    expect(code).toBe(2);
    expect(status.project).toBe("failed");
    expect(message("project")).toContain("There are no model files at absent.");
  });

  it("says which base image is out of reach", async () => {
    const { root } = await smallProject();
    const { code, status, message } = await doctor(root, { MODELSHIP_IMAGE_BASE: "127.0.0.1:9/no/base:1" });
    expect(code).toBe(1);
    expect(status["base image"]).toBe("failed");
    expect(message("base image")).toContain("127.0.0.1:9");
  });

  it("tries the stored credentials of the repository, and never says them", async () => {
    const host = process.env.MODELSHIP_TEST_AUTH_REGISTRY ?? "";
    const { root } = await smallProject();
    const auth = Buffer.from("someone:canary-7d2e").toString("base64");
    const config = await folderWith({ "config.json": JSON.stringify({ auths: { [host]: { auth } } }) });
    const env = { DOCKER_CONFIG: config, MODELSHIP_IMAGE_REPOSITORY: `${host}/you/digits` };
    const said = await doctor(root, env);
    expect(said.code).toBe(4);
    expect(said.status.credentials).toBe("failed");
    expect(said.stdout + said.stderr).not.toMatch(/canary-7d2e|c29tZW9uZT/);
  });

  it("asks for a GPU only where the project needs one", async () => {
    const { root } = await smallProject();
    expect((await doctor(root)).status.gpu).not.toBe("failed");
    const { code, status } = await doctor(root, { MODELSHIP_ACCELERATOR: "cuda" });
    // A machine with a GPU has a runtime for it.
    expect(status.gpu === "ok" ? code : status.gpu).toBe(status.gpu === "ok" ? 0 : "failed");
  });
});
