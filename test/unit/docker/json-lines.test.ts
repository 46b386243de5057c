import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { jsonLines, StreamProtocolError } from "../../../src/docker/json-lines.js";

async function rowsOf(stream: Readable, limit?: number): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const row of jsonLines(stream, limit)) rows.push(row);
  return rows;
}

test("characters and rows may be cut anywhere", async () => {
  const bytes = Buffer.from('{"stream":"größe ✓ 🚀"}\r\n\n{"a":1}\n{"last":"without a newline"}');
  const expected = [{ stream: "größe ✓ 🚀" }, { a: 1 }, { last: "without a newline" }];
  for (let size = 1; size < 20; size++) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    expect(await rowsOf(Readable.from(chunks, { objectMode: false }))).toEqual(expected);
  }
});

test("a line that is no JSON is an error that shows it", async () => {
  const page = Readable.from([Buffer.from('{"ok":1}\n<html>502 Bad Gateway</html>\n')]);
  await expect(rowsOf(page)).rejects.toThrow(/not JSON: <html>502/);
});

test("a line has a bound", async () => {
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(1000, "x");
    })(),
  );
  await expect(rowsOf(endless, 10_000)).rejects.toBeInstanceOf(StreamProtocolError);
  expect(endless.destroyed).toBe(true);
});

test("a stream that is closed early is not a finished one", async () => {
  const stream = new Readable({ read() {} });
  stream.push('{"a":1}\n{"b"');
  setTimeout(() => stream.destroy(), 10);
  await expect(rowsOf(stream)).rejects.toThrow(/premature/i);
});

test("leaving early destroys the stream", async () => {
  const stream = Readable.from([Buffer.from('{"a":1}\n{"b":2}\n')]);
  for await (const row of jsonLines(stream)) {
    expect(row).toEqual({ a: 1 });
    break;
  }
  expect(stream.destroyed).toBe(true);
});
