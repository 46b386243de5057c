import { fields } from "./protobuf.js";

/** One step of a BuildKit build, as far as it is known now: it is sent again whenever it changes. */
export interface Vertex {
  digest: string;
  name: string;
  cached: boolean;
  /** Unix seconds. */
  started: number | undefined;
  /** Unix seconds. */
  completed: number | undefined;
  error: string;
}

/** How far one part of a step is (a layer, a transfer). `current` and `total` are bytes, or plain counts. */
export interface VertexStatus {
  id: string;
  vertex: string;
  name: string;
  current: number;
  total: number;
  done: boolean;
}

export interface VertexLog {
  vertex: string;
  /** 1 stdout, 2 stderr. */
  stream: number;
  data: Buffer;
}

export interface VertexWarning {
  vertex: string;
  short: string;
  url: string;
}

export interface Trace {
  vertexes: Vertex[];
  statuses: VertexStatus[];
  logs: VertexLog[];
  warnings: VertexWarning[];
}

/** Reads `moby.buildkit.v1.StatusResponse`: the base64 `aux` of a `moby.buildkit.trace` row. */
export function decodeTrace(message: Buffer): Trace {
  const trace: Trace = { vertexes: [], statuses: [], logs: [], warnings: [] };
  for (const field of fields(message)) {
    if (field.number === 1) trace.vertexes.push(vertex(field.bytes));
    else if (field.number === 2) trace.statuses.push(status(field.bytes));
    else if (field.number === 3) trace.logs.push(log(field.bytes));
    else if (field.number === 4) trace.warnings.push(warning(field.bytes));
  }
  return trace;
}

function vertex(message: Buffer): Vertex {
  const out: Vertex = {
    digest: "",
    name: "",
    cached: false,
    started: undefined,
    completed: undefined,
    error: "",
  };
  for (const { number, integer, bytes } of fields(message)) {
    if (number === 1) out.digest = bytes.toString();
    else if (number === 3) out.name = bytes.toString();
    else if (number === 4) out.cached = integer !== 0n;
    else if (number === 5) out.started = timestamp(bytes);
    else if (number === 6) out.completed = timestamp(bytes);
    else if (number === 7) out.error = bytes.toString();
  }
  return out;
}

function status(message: Buffer): VertexStatus {
  const out: VertexStatus = { id: "", vertex: "", name: "", current: 0, total: 0, done: false };
  for (const { number, integer, bytes } of fields(message)) {
    if (number === 1) out.id = bytes.toString();
    else if (number === 2) out.vertex = bytes.toString();
    else if (number === 3) out.name = bytes.toString();
    else if (number === 4) out.current = Number(BigInt.asIntN(64, integer));
    else if (number === 5) out.total = Number(BigInt.asIntN(64, integer));
    else if (number === 8) out.done = true;
  }
  return out;
}

function log(message: Buffer): VertexLog {
  const out: VertexLog = { vertex: "", stream: 0, data: Buffer.alloc(0) };
  for (const { number, integer, bytes } of fields(message)) {
    if (number === 1) out.vertex = bytes.toString();
    else if (number === 3) out.stream = Number(integer);
    else if (number === 4) out.data = bytes;
  }
  return out;
}

function warning(message: Buffer): VertexWarning {
  const out: VertexWarning = { vertex: "", short: "", url: "" };
  for (const { number, bytes } of fields(message)) {
    if (number === 1) out.vertex = bytes.toString();
    else if (number === 3) out.short = bytes.toString();
    else if (number === 5) out.url = bytes.toString();
  }
  return out;
}

function timestamp(message: Buffer): number {
  let seconds = 0;
  let nanos = 0;
  for (const { number, integer } of fields(message)) {
    if (number === 1) seconds = Number(BigInt.asIntN(64, integer));
    else if (number === 2) nanos = Number(integer);
  }
  return seconds + nanos / 1e9;
}
