import { expect, test } from "vitest";
import { withLabels } from "../../../src/docker/podman-build.js";

test("labels come last, and nothing in them is an instruction or a variable", () => {
  const labels = { plain: "1.0", quoted: 'a "b" \\ $HOME', lines: "one\nRUN touch /pwned" };
  expect(withLabels("FROM base\nRUN true\n", labels)).toBe(
    'FROM base\nRUN true\nLABEL "plain"="1.0" "quoted"="a \\"b\\" \\\\ \\$HOME" "lines"="one RUN touch /pwned"\n',
  );
  expect(withLabels("FROM base\n", {})).toBe("FROM base\n");
});
