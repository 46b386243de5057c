import { describe, expect, test } from "vitest";
import { detected, fixture } from "./fixture.js";

describe("GGUF", () => {
  test.each(["little", "big"])(
    "%s-endian: architecture, context, quantisation and chat template",
    async (order) => {
      const model = await detected(fixture(`gguf/${order}.gguf`));
      expect(model).toMatchObject({
        kind: "gguf",
        confidence: "certain",
        summary: "GGUF, llama, 192 parameters, Q8_0, context of 2048 tokens",
        architecture: "llama",
        task: "text-generation",
        details: {
          version: 3,
          byteOrder: order,
          name: "Tiny Llama",
          contextLength: 2048,
          quantisation: "Q8_0",
          parameters: 192,
          vocabularySize: 5,
          chatTemplate: expect.stringContaining("m.role"),
        },
      });
      expect(model.warnings).toHaveLength(order === "big" ? 1 : 0);
    },
  );
});
