import { expect, it } from "vitest";
import { inParallel } from "../../../../src/registry/upload/in-parallel.js";

it("works on so many at once, and gives the results in order", async () => {
  let now = 0;
  let most = 0;
  const results = await inParallel(3, [5, 1, 4, 2, 3], async (item) => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, item));
    now--;
    return item * 2;
  });
  expect(results).toEqual([10, 2, 8, 4, 6]);
  expect(most).toBe(3);
});

it("stops the others at the first failure, waits for them, and begins no more", async () => {
  const ended: string[] = [];
  const begun: string[] = [];
  const work = inParallel(2, ["fails", "runs", "waits"], async (item, signal) => {
    begun.push(item);
    if (item === "fails") throw new Error("no");
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    ended.push(item);
    throw new Error("stopped");
  });
  await expect(work).rejects.toThrow("no");
  expect(begun).toEqual(["fails", "runs"]);
  expect(ended).toEqual(["runs"]);
});

it("stops when it is told to", async () => {
  const stop = new AbortController();
  const work = inParallel(
    2,
    [1, 2, 3],
    async (item) => {
      stop.abort();
      return item;
    },
    stop.signal,
  );
  await expect(work).rejects.toMatchObject({ code: "interrupted" });
});
