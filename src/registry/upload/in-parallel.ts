import { throwIfAborted } from "../../errors.js";

/**
 * Works on items, so many at once, in their order. The first failure stops the others, and is thrown once all of them
 * have stopped.
 */
export async function inParallel<Item, Result>(
  limit: number,
  items: Iterable<Item>,
  work: (item: Item, signal: AbortSignal) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result[]> {
  const stop = new AbortController();
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const queue = [...items].entries();
  const results: Result[] = [];
  let failure: { error: unknown } | undefined;
  const worker = async () => {
    for (const [index, item] of queue) {
      if (either.aborted) return;
      try {
        results[index] = await work(item, either);
      } catch (error) {
        failure ??= { error };
        stop.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  if (failure) throw failure.error;
  throwIfAborted(signal);
  return results;
}
