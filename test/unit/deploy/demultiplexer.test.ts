import { describe, expect, test } from "vitest";
import { Demultiplexer, type LogLine } from "../../../src/docker/logs.js";
import { UserError } from "../../../src/errors.js";

function frame(kind: number, text: string | Buffer): Buffer {
  const body = Buffer.from(text as string);
  const header = Buffer.alloc(8);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}

function read(...chunks: Buffer[]): LogLine[] {
  const demultiplexer = new Demultiplexer();
  return [...chunks.flatMap((chunk) => [...demultiplexer.push(chunk)]), ...demultiplexer.end()];
}

describe("a container's output", () => {
  test("is taken apart into lines of stdout and of stderr", () => {
    expect(read(Buffer.concat([frame(1, "one\n"), frame(2, "oops\n"), frame(1, "two\n")]))).toEqual([
      { stream: "stdout", line: "one" },
      { stream: "stderr", line: "oops" },
      { stream: "stdout", line: "two" },
    ]);
  });

  test("is the same however the chunks are cut, characters of several bytes too", () => {
    const whole = Buffer.concat([
      frame(1, "größe 日本\r\n"),
      frame(2, "é"),
      frame(1, "a\nb"),
      frame(2, "è\n"),
    ]);
    const expected = read(whole);
    expect(expected).toEqual([
      { stream: "stdout", line: "größe 日本" },
      { stream: "stdout", line: "a" },
      { stream: "stderr", line: "éè" },
      { stream: "stdout", line: "b" },
    ]);
    for (let cut = 1; cut < whole.length; cut += 1) {
      expect(read(whole.subarray(0, cut), whole.subarray(cut))).toEqual(expected);
    }
    expect(read(...[...whole].map((byte) => Buffer.from([byte])))).toEqual(expected);
  });

  test("may be many thousand frames in one chunk", () => {
    const chunk = Buffer.concat(Array.from({ length: 20_000 }, (_, index) => frame(1, `line ${index}\n`)));
    const lines = read(chunk);
    expect(lines).toHaveLength(20_000);
    expect(lines.at(-1)?.line).toBe("line 19999");
  });

  test("may hold empty frames and a character cut between frames", () => {
    const euro = Buffer.from("€\n");
    expect(
      read(frame(1, ""), frame(1, euro.subarray(0, 1)), frame(2, ""), frame(1, euro.subarray(1))),
    ).toEqual([{ stream: "stdout", line: "€" }]);
  });

  test("ends with the engine's own complaint where it cannot read on", () => {
    const complaint = frame(3, "log file is gone");
    expect(() => read(frame(1, "one\n"), complaint)).toThrow(
      expect.objectContaining({ code: "container_failed", why: "log file is gone" }),
    );
    expect(() => read(complaint.subarray(0, 12), complaint.subarray(12))).toThrow(UserError);
  });

  test("does not grow without end where a line has none", () => {
    const piece = frame(1, "x".repeat(100_000));
    const demultiplexer = new Demultiplexer();
    let pieces = 0;
    for (let index = 0; index < 50; index += 1) pieces += [...demultiplexer.push(piece)].length;
    expect(pieces).toBeGreaterThan(2);
  });
});
