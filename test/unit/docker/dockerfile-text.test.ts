import { expect, test } from "vitest";
import { baseImages, hasRunMounts, registryOf } from "../../../src/docker/dockerfile-text.js";

test("base images are found through arguments, and stages are none", () => {
  const dockerfile = `# FROM commented/out
ARG BASE=python
ARG TAG="3.12-slim"
FROM --platform=linux/amd64 \${BASE}:$TAG AS builder
FROM builder
FROM scratch
FROM \${OTHER:-ghcr.io/a/b:1} AS last
COPY --from=builder /a /a
COPY --from=0 /a /a
COPY --chown=1 --from=registry.example:5000/tools:2 /t /t
RUN --mount=type=bind,from=quay.io/x/y,source=/a,target=/b true
`;
  expect(baseImages(dockerfile, { TAG: "3.11" })).toEqual([
    "python:3.11",
    "ghcr.io/a/b:1",
    "registry.example:5000/tools:2",
    "quay.io/x/y",
  ]);
});

test("registries are told from namespaces", () => {
  expect(["python:3", "acme/x", "localhost/x", "localhost:5000/x", "ghcr.io/a/b"].map(registryOf)).toEqual([
    "docker.io",
    "docker.io",
    "localhost",
    "localhost:5000",
    "ghcr.io",
  ]);
});

test("mounts are found on continued lines, and not in what a step prints", () => {
  expect(hasRunMounts("FROM x\nRUN \\\n  --mount=type=cache,target=/c \\\n  pip install")).toBe(true);
  expect(hasRunMounts("FROM x\nrun --network=none --mount=type=secret,id=a true")).toBe(true);
  expect(hasRunMounts("FROM x\nRUN echo --mount=type=cache\n# RUN --mount=type=cache x")).toBe(false);
});
