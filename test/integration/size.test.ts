import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { modelship } from "../setup/cli.js";
import { smallProject } from "../setup/project.js";
import { sizedImage } from "./sized-image.js";

describe("modelship size", () => {
  it("finds base, packages, service, code and model files in an image", async () => {
    const { sizes, part } = await sizedImage();
    expect(part("model files")).toBe(3_000_002);
    expect(part("code")).toBeGreaterThan(300);
    expect(part("base")).toBeGreaterThan(50_000_000);
    expect(part("service")).toBeGreaterThan(100_000);
    expect(sizes.packages.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["numpy", "uvicorn", "pydantic"]),
    );
    expect(sizes.packages[0]?.version).toMatch(/^\d/);
    expect(sizes.bytes).toBe(sizes.parts.reduce((sum, { bytes }) => sum + bytes, 0));
  });

  it("says that there is no such image", async () => {
    const { root } = await smallProject();
    const said = await modelship(["size", "--json"], { cwd: root });
    expect(said.code).toBe(1);
    expect(JSON.parse(said.stdout).error.code).toBe("image_not_found");
    const named = await modelship(["size", `absent-${randomBytes(4).toString("hex")}:1`], { cwd: root });
    expect(named.code).toBe(1);
  });
});
