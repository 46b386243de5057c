import { expect, it } from "vitest";
import { modelship } from "../setup/cli.js";
import { networkFlags } from "../setup/engine.js";
import { sizedImage } from "./sized-image.js";

it("the edge profile makes a smaller image that serves", async () => {
  const usual = await sizedImage();
  const edge = await sizedImage("edge");
  expect(edge.part("model files")).toBe(3_000_002);
  expect(edge.sizes.bytes).toBeLessThan(usual.sizes.bytes * 0.9);
  expect(edge.sizes.suggestions.map(({ message }) => message).join()).not.toContain("tests");
  const service = edge.name;
  const run = await modelship(["run", "--detach", "--port", "0", "--json", ...networkFlags], {
    cwd: edge.root,
    env: edge.env,
  });
  expect(run.code, run.stderr).toBe(0);
  try {
    const { url } = JSON.parse(run.stdout) as { url: string };
    const answer = await modelship(["predict", "--url", url], { cwd: edge.root, env: edge.env });
    expect(JSON.parse(answer.stdout)).toMatchObject({ value: 42 });
  } finally {
    await modelship(["stop", service], { cwd: edge.root });
  }
}, 400_000);
