import { expect, test } from "vitest";
import { LogLines } from "../../../src/docker/log-lines.js";

function linesOf(...pieces: (string | Buffer)[]): string[] {
  const lines: string[] = [];
  const log = new LogLines((line) => lines.push(line));
  for (const piece of pieces) log.push(piece);
  log.flush();
  return lines;
}

test("lines are whole, whatever the pieces", () => {
  const bytes = Buffer.from("grün ✓\nzwei\r\nletzte");
  expect(linesOf(...[...bytes].map((byte) => Buffer.from([byte])))).toEqual(["grün ✓", "zwei", "letzte"]);
});

test("of a line that redraws itself the last state is left, without colours", () => {
  expect(linesOf("10%\r50%\r\u001b[32m100%\u001b[0m\n")).toEqual(["100%"]);
  expect(linesOf("10%\r", "20%\r")).toEqual(["20%"]);
});

test("a line that never ends is given out in parts", () => {
  const lines = linesOf("x".repeat(50_000), "x".repeat(50_000), "end\n");
  expect(lines.join("")).toHaveLength(100_003);
  expect(linesOf(...Array.from({ length: 100 }, (_, at) => `${at}%${" ".repeat(2000)}\r`)).at(-1)).toBe(
    "99%",
  );
});
