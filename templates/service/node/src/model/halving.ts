import { failureOf } from "./failure.js";
import type { Reply } from "./orders.js";

/** One call for several requests. A batch that fails is cut in halves, until the request that it fails for is alone. */
export async function together<Part>(
  parts: readonly Part[],
  call: (parts: readonly Part[]) => Promise<Reply[]>,
): Promise<Reply[]> {
  if (parts.length === 0) return [];
  try {
    return await call(parts);
  } catch (error) {
    if (parts.length === 1) return [failureOf(error)];
  }
  const middle = Math.floor(parts.length / 2);
  return [...(await together(parts.slice(0, middle), call)), ...(await together(parts.slice(middle), call))];
}
