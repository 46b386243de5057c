import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { resolveConfig } from "../../../src/project/config.js";
import { projectJsonSchema, projectSchema, settings } from "../../../src/project/schema.js";

describe("the settings", () => {
  it("all stand in docs/project-file.md, with their defaults", async () => {
    const page = await readFile(join(import.meta.dirname, "../../../docs/project-file.md"), "utf8");
    for (const setting of settings()) {
      const value = setting.default === undefined ? "required" : `\`${show(setting.default)}\``;
      expect(page).toContain(`| \`${setting.path.join(".")}\` | ${value} |`);
    }
  });

  it("come from flag, environment, file and default, in this order", () => {
    const file = { name: "digits", python: "3.10", image: { base: "from-file", repository: "r/file" } };
    const env = {
      MODELSHIP_IMAGE_BASE: "from-env",
      MODELSHIP_PYTHON: "3.11",
      MODELSHIP_SERVICE_PORT: "9000",
    };
    const flags = { "image.base": { flag: "--base", value: "from-flag" } };
    const { config, origins } = resolveConfig(file, env, flags);
    expect(config.image.base).toBe("from-flag");
    expect(origins["image.base"]).toEqual({ from: "flag", name: "--base" });
    expect(config.python).toBe("3.11");
    expect(origins.python).toEqual({ from: "environment", name: "MODELSHIP_PYTHON" });
    expect(config.service.port).toBe(9000);
    expect(config.image.repository).toBe("r/file");
    expect(origins["image.repository"]).toEqual({ from: "file" });
    expect(config.service.timeout_s).toBe(30);
    expect(origins["service.timeout_s"]).toEqual({ from: "default" });
  });

  it("name the variable whose value is wrong", () => {
    expect(() => resolveConfig({ name: "a" }, { MODELSHIP_SERVICE_PORT: "eighty" })).toThrow(
      /^MODELSHIP_SERVICE_PORT: `service.port`/,
    );
  });

  it("read lists and switches from variables", () => {
    const env = { MODELSHIP_SYSTEM_PACKAGES: "libgomp1, curl", MODELSHIP_IMAGE_KEEP_CA_CERTS: "true" };
    const { config } = resolveConfig({ name: "a" }, env);
    expect(config.system_packages).toEqual(["libgomp1", "curl"]);
    expect(config.image.keep_ca_certs).toBe(true);
  });

  it("all have a default or are required, in the JSON Schema too", () => {
    const required = settings().filter((setting) => setting.default === undefined);
    expect(required.map((setting) => setting.path.join("."))).toEqual(["name"]);
    expect(projectJsonSchema()).toMatchObject({ required: ["name"], additionalProperties: false });
    expect(projectSchema.parse({ name: "a" }).model).toEqual({ entry: "model.py:Model", files: "model/" });
  });
});

function show(value: unknown): string {
  return typeof value === "string" && !Number.isNaN(Number(value))
    ? JSON.stringify(value)
    : typeof value === "string"
      ? value
      : JSON.stringify(value);
}
