import { describe, expect, it } from "vitest";
import type { ImageDocument, ImageStep } from "../../../src/docker/image-document.js";
import { configOf } from "../../../src/image/graft/code-config.js";

const step = (createdBy: string, size = 0, empty?: boolean): ImageStep => ({
  created: "2026-01-02T03:04:05.000Z",
  createdBy,
  comment: "",
  size,
  empty,
});

function document(history: readonly ImageStep[], layers: number): ImageDocument {
  return {
    created: "2026-01-02T03:04:05Z",
    author: "",
    architecture: "arm64",
    os: "linux",
    variant: "v8",
    config: { User: "10001:10001", Labels: { a: "b" } },
    layers: Array.from({ length: layers }, (_, at) => `sha256:${at}`),
    history,
  };
}

/** Which steps are said to have made a layer. */
function layersOf(history: readonly ImageStep[], layers: number): (string | undefined)[] | undefined {
  return configOf(document(history, layers))
    .history?.filter((item) => !item.empty_layer)
    .map((item) => item.created_by);
}

describe("the configuration of an engine's image", () => {
  it("has what the engine tells of it, and nothing that is empty", () => {
    expect(configOf(document([step("COPY a /a", 5)], 1))).toEqual({
      created: "2026-01-02T03:04:05Z",
      architecture: "arm64",
      variant: "v8",
      os: "linux",
      config: { User: "10001:10001", Labels: { a: "b" } },
      rootfs: { type: "layers", diff_ids: ["sha256:0"] },
      history: [{ created: "2026-01-02T03:04:05.000Z", created_by: "COPY a /a" }],
    });
  });

  it("believes the engine where it says which steps made no layer", () => {
    const history = [step("COPY a /a", 0, false), step("RUN true", 0, false), step("RUN false", 0, true)];
    expect(layersOf(history, 2)).toEqual(["COPY a /a", "RUN true"]);
  });

  it("takes the steps with bytes for the layers where they are as many", () => {
    const history = [step("", 100), step("/bin/sh -c true"), step("COPY a /a", 5), step("WORKDIR /a")];
    expect(layersOf(history, 2)).toEqual([undefined, "COPY a /a"]);
  });

  it.each([
    [
      "a step of BuildKit that left no bytes",
      [step("", 9), step("RUN /bin/sh -c true # buildkit"), step("ENV a=b"), step("COPY a b # buildkit", 3)],
      3,
      [undefined, "RUN /bin/sh -c true # buildkit", "COPY a b # buildkit"],
    ],
    [
      "BuildKit's WORKDIR",
      [step("", 9), step("COPY a b # buildkit", 3), step("WORKDIR /app"), step("USER 1")],
      3,
      [undefined, "COPY a b # buildkit", "WORKDIR /app"],
    ],
    [
      "an empty file copied by the classic builder, and a command with arguments",
      [
        step("", 9),
        step("/bin/sh -c #(nop) COPY file:abc in /app/ "),
        step("/bin/sh -c #(nop)  ENV A=b"),
        step("|1 A=b /bin/sh -c true"),
      ],
      3,
      [undefined, "/bin/sh -c #(nop) COPY file:abc in /app/ ", "|1 A=b /bin/sh -c true"],
    ],
  ])("goes by the instructions where it has to: %s", (_, history, layers, expected) => {
    expect(layersOf(history, layers)).toEqual(expected);
  });

  it("leaves a history out that cannot be made to fit", () => {
    expect(configOf(document([step("COPY a b", 5)], 3))).not.toHaveProperty("history");
  });
});
