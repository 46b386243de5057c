import { expect, test } from "vitest";
import { defaultReadySeconds, waitUntilReady } from "../../../src/deploy/ready.js";

const never = new Promise<never>(() => {});

test("asks until the service is ready", async () => {
  let asked = 0;
  const probe = async () => ++asked === 3;
  expect(await waitUntilReady({ probe, exited: never, timeoutMs: 5000 })).toBe("ready");
  expect(asked).toBe(3);
});

test("ends at once when the container ends, and when time is up", async () => {
  const probe = async () => false;
  expect(await waitUntilReady({ probe, exited: Promise.resolve(), timeoutMs: 5000 })).toBe("exited");
  expect(await waitUntilReady({ probe, exited: never, timeoutMs: 60 })).toBe("timeout");
  expect(await waitUntilReady({ probe: () => never, exited: never, timeoutMs: 60 })).toBe("timeout");
});

test("is interrupted by Ctrl-C", async () => {
  const controller = new AbortController();
  const waiting = waitUntilReady({
    probe: async () => false,
    exited: never,
    timeoutMs: 5000,
    signal: controller.signal,
  });
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: "interrupted" });
});

test("gives a large model longer", () => {
  expect(defaultReadySeconds(1e6)).toBe(120);
  expect(defaultReadySeconds(10e9)).toBe(320);
});
