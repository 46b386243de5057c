import type { IncomingMessage } from "node:http";
import type { Fault } from "./faults.js";

/** How a body came in: all of it, cut off, or not read on because of a fault. */
export type Arrival = { chunks: Buffer[]; size: number; how: "whole" | "cut" | "faulty" };

/** Reads the body of a request, up to where its fault lies. */
export async function receive(request: IncomingMessage, fault: Fault | undefined): Promise<Arrival> {
  const announced = Number(request.headers["content-length"] ?? 0);
  const at = fault && "at" in fault && fault.at !== undefined ? Math.floor(fault.at * announced) : undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  // A body without bytes has no middle: the fault comes at once.
  if (at === 0) return { chunks, size, how: "faulty" };
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      const kept = at === undefined ? chunk : chunk.subarray(0, Math.max(0, at - size));
      chunks.push(kept);
      size += kept.length;
      if (at !== undefined && size >= at) return { chunks, size, how: "faulty" };
    }
  } catch {
    return { chunks, size, how: "cut" };
  }
  if (fault?.kind === "damage") damage(chunks);
  return { chunks, size, how: "whole" };
}

function damage(chunks: Buffer[]): void {
  const first = chunks.find(({ length }) => length > 0);
  if (first) first[0] = (first[0] ?? 0) ^ 1;
}
