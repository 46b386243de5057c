import type { IncomingMessage } from "node:http";
import type { Fault } from "./faults.js";

/** How a body came in: all of it, cut off, or not read on because of a fault. */
export type Arrival = { chunks: Buffer[]; size: number; how: "whole" | "cut" | "faulty" };

/** Reads the body of a request, up to where its fault lies; nothing of the rest is taken from the network then. */
export async function receive(request: IncomingMessage, fault: Fault | undefined): Promise<Arrival> {
  const announced = Number(request.headers["content-length"] ?? 0);
  const end = fault && "at" in fault && fault.at !== undefined ? Math.floor(fault.at * announced) : undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  // A body without bytes has no middle: the fault comes at once.
  if (end === 0) return { chunks, size, how: "faulty" };
  const how = await new Promise<Arrival["how"]>((resolve) => {
    const take = (chunk: Buffer) => {
      const kept = end === undefined ? chunk : chunk.subarray(0, end - size);
      chunks.push(kept);
      size += kept.length;
      if (end === undefined || size < end) return;
      request.off("data", take).pause();
      resolve("faulty");
    };
    request.on("data", take);
    request.once("end", () => resolve("whole"));
    request.once("close", () => resolve("cut"));
  });
  if (how === "whole" && fault?.kind === "damage") damage(chunks);
  return { chunks, size, how };
}

function damage(chunks: Buffer[]): void {
  const first = chunks.find(({ length }) => length > 0);
  if (first) first[0] = (first[0] ?? 0) ^ 1;
}
