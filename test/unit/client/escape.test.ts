import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { commentText, pythonText, typescriptText } from "../../../src/client/escape.js";

const texts = [
  "plain",
  `"double" 'single' \`back\``,
  "\"\"\" ''' \\",
  "\n\r\t\0\u0007\u001b[31m",
  "\u2028\u2029\u202e\ufeff\u200b",
  "é 漢 😀 \u{e0041}",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text that is tried
  "${process.exit(9)}",
  "*/ // # <!-- </script>",
];

test("a literal is the text again, on one line, in both languages", () => {
  const literals = texts.map(typescriptText);
  expect(new Function(`return [${literals.join(", ")}]`)()).toEqual(texts);
  const python = texts.map(pythonText);
  const code = `import json; print(json.dumps([${python.join(", ")}]))`;
  const said = spawnSync("python3", ["-c", code], { encoding: "utf8" });
  expect(said.stderr).toBe("");
  expect(JSON.parse(said.stdout)).toEqual(texts);
  for (const literal of [...literals, ...python]) expect(literal).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
});

test.each([
  ["what it is\nand more", "what it is and more"],
  ["ends */ here", "ends * / here"],
  ["ends *#/ here", "ends * / here"],
  ["type: ignore", '"type: ignore"'],
  ["# noqa", '"noqa"'],
  ["@ts-nocheck", '"(at)ts-nocheck"'],
  ["biome-ignore lint: x", '"biome-ignore lint: x"'],
  ["\u202etxet", "txet"],
])("the comment of %j", (text, shown) => {
  expect(commentText(text)).toBe(shown);
});
