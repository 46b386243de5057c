import { expect, test } from "vitest";
import { fields, MessageWriter } from "../../../src/docker/buildkit/protobuf.js";
import { decodeTrace } from "../../../src/docker/buildkit/trace.js";

test("what is written is read back", () => {
  const message = new MessageWriter()
    .integer(1, 0x8000_01ed)
    .integer(2, 0)
    .integer(6, 1_577_836_800_123_456_789n)
    .bytes(7, "")
    .bytes(100, "grün")
    .message(3, Buffer.alloc(0))
    .finish();
  expect(
    [...fields(message)].map(({ number, integer, bytes }) => [number, integer, bytes.toString()]),
  ).toEqual([
    [1, 0x8000_01edn, ""],
    [6, 1_577_836_800_123_456_789n, ""],
    [100, 0n, "grün"],
    [3, 0n, ""],
  ]);
});

test("fixed-width fields are passed over, and a negative number is one", () => {
  const bytes = Buffer.from([0x0d, 1, 0, 0, 0, 0x11, 2, 0, 0, 0, 0, 0, 0, 0, 0x18, 5]);
  expect([...fields(bytes)].map(({ number, integer }) => [number, integer])).toEqual([
    [1, 1n],
    [2, 2n],
    [3, 5n],
  ]);
  const negative = new MessageWriter().integer(1, -1).finish();
  expect([...fields(negative)][0]?.integer).toBe(0xffff_ffff_ffff_ffffn);
});

test("what is cut short or no message is an error, never a hang", () => {
  for (const bytes of [
    [0x0a, 5, 1],
    [0x08],
    [0x08, 0x80],
    [0x07],
    [0x00, 1],
    [0x08, ...Array(11).fill(0xff)],
    [0x0d, 1],
  ])
    expect(() => [...fields(Buffer.from(bytes))]).toThrow(/protobuf/);
});

test("a trace is read", () => {
  const time = new MessageWriter().integer(1, 1_700_000_000).integer(2, 500_000_000).finish();
  const vertex = new MessageWriter()
    .bytes(1, "sha256:1")
    .bytes(3, "[1/1] RUN x")
    .integer(4, 1)
    .message(5, time);
  const log = new MessageWriter()
    .bytes(1, "sha256:1")
    .integer(3, 2)
    .bytes(4, Buffer.from([0xff, 0x0a]));
  const status = new MessageWriter()
    .bytes(1, "id")
    .bytes(2, "sha256:1")
    .integer(4, 5)
    .integer(5, 10)
    .message(8, time);
  const warning = new MessageWriter().bytes(1, "sha256:1").bytes(3, "careful");
  const trace = decodeTrace(
    new MessageWriter()
      .message(1, vertex.finish())
      .message(2, status.finish())
      .message(3, log.finish())
      .message(4, warning.finish())
      .finish(),
  );
  expect(trace.vertexes[0]).toMatchObject({ name: "[1/1] RUN x", cached: true, started: 1_700_000_000.5 });
  expect(trace.vertexes[0]?.completed).toBeUndefined();
  expect(trace.statuses[0]).toMatchObject({ current: 5, total: 10, done: true });
  expect(trace.logs[0]).toMatchObject({ stream: 2, data: Buffer.from([0xff, 0x0a]) });
  expect(trace.warnings[0]?.short).toBe("careful");
});
