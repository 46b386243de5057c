/** Where the model runs: a thread of its own, which is asked one thing after the other. */
import { parentPort, workerData } from "node:worker_threads";
import { noCode } from "../settings.js";
import { failureOf, ModelFailed } from "./failure.js";
import type { Hosted } from "./hosted.js";
import { hostOnnx } from "./onnx.js";
import type { Order, Step, ThreadData, Word } from "./orders.js";
import { hostUserModel, Refused } from "./user-model.js";

const data = workerData as ThreadData;
const port = parentPort as NonNullable<typeof parentPort>;

const hosted = new Map<string, Hosted>();
const streams = new Map<number, AsyncGenerator<string>>();

function tell(word: Word): void {
  port.postMessage(word);
}

async function load(): Promise<void> {
  const byEntry = new Map<string, Hosted>();
  for (const [api, entry] of data.entries) {
    const model =
      byEntry.get(entry) ?? (await (entry === noCode ? hostOnnx(data) : hostUserModel(entry, data)));
    byEntry.set(entry, model);
    hosted.set(api, model);
  }
  const described = [...hosted].map(([api, { description }]) => [api, description] as const);
  tell({ word: "loaded", described: new Map(described) });
}

async function obey(order: Order): Promise<void> {
  if (order.op === "predict") {
    tell({ word: "replies", replies: await (hosted.get(order.api) as Hosted).predict(order.parts) });
    return;
  }
  tell({ word: "step", step: await streamed(order).catch(failed) });
}

async function streamed(order: Exclude<Order, { op: "predict" }>): Promise<Step> {
  const { stream } = order;
  if (order.op === "open") {
    const pieces = hosted.get(order.api)?.stream?.(order.row);
    if (pieces) streams.set(stream, pieces);
    return { kind: "end" };
  }
  const pieces = streams.get(stream);
  if (order.op === "close") {
    streams.delete(stream);
    await pieces?.return(undefined);
    return { kind: "end" };
  }
  // One at a time, so that none waits for the next, and other work has its turn between them.
  const next = await pieces?.next();
  if (next && !next.done) return { kind: "piece", text: next.value };
  streams.delete(stream);
  return { kind: "end" };
}

function failed(error: unknown): Step {
  return error instanceof Refused ? error.refusal : failureOf(error);
}

port.on("message", (order: Order) => void obey(order));
load().catch((error: unknown) => {
  const { stage, message, shown } = ModelFailed.from("load", error, data.project);
  tell({ word: "unusable", stage, reason: message, shown });
});
