/** What the protocol calls models: the service's one model, whose versions are its API versions. */
import { ApiError } from "../../errors.js";
import type { Request } from "../../http/request.js";
import type { TensorSpec } from "../../schema/tensor.js";
import type { Served, Service } from "../../service.js";

const platform = "modelship";
const configTypes: Readonly<Record<string, string>> = {
  FP16: "TYPE_FP16",
  FP32: "TYPE_FP32",
  FP64: "TYPE_FP64",
  BYTES: "TYPE_STRING",
};

/** The version that the path names, the newest without one. Throws ApiError 404, or 503 before it is loaded. */
export function asked(service: Service, request: Request): Served {
  checkName(service, request);
  const { version } = request.params;
  if (version !== undefined && !/^\d+$/.test(version))
    throw new ApiError(404, "not_found", "there is no such version of the model");
  return service.api(version);
}

export function checkName({ settings }: Service, request: Request): void {
  if (request.params.model !== settings.name)
    throw new ApiError(404, "not_found", `there is no such model; the model here is ${settings.name}`);
}

export function numberOf({ api }: { api: string }): string {
  return api.slice(1);
}

export function metadata(service: Service, { schema }: Served): object {
  const versions = [...service.served.values()].map(numberOf);
  return {
    name: service.settings.name,
    versions,
    platform,
    inputs: schema.inputs,
    outputs: schema.outputs,
  };
}

/** As Triton would say it: the batch is not among the dimensions. */
export function config(service: Service, { schema }: Served): object {
  const tensors = (specs: readonly TensorSpec[]) =>
    specs.map(({ name, datatype, shape }) => ({
      name,
      data_type: configTypes[datatype] ?? `TYPE_${datatype}`,
      dims: shape.slice(1),
    }));
  return {
    name: service.settings.name,
    platform,
    backend: "node",
    max_batch_size: schema.maxRows,
    input: tensors(schema.inputs),
    output: tensors(schema.outputs),
    model_transaction_policy: { decoupled: schema.streams },
  };
}

export function index({ settings, state }: Service, readyOnly: boolean): object[] {
  const ready = state === "ready";
  if (readyOnly && !ready) return [];
  const how = ready ? { state: "READY", reason: "" } : { state: "UNAVAILABLE", reason: state };
  return [...settings.entry.keys()].map((api) => ({ name: settings.name, version: api.slice(1), ...how }));
}

/** Since the start, of all the versions together: they share their workers. */
export function statistics({ settings, metrics }: Service, versions: readonly string[]): object[] {
  const { batchRows, queueSeconds, modelSeconds } = metrics;
  const count = batchRows.count;
  return versions.map((version) => ({
    name: settings.name,
    version,
    inference_count: batchRows.sum,
    execution_count: count,
    inference_stats: {
      queue: { count, ns: Math.round(queueSeconds.sum * 1e9) },
      compute_infer: { count, ns: Math.round(modelSeconds.sum * 1e9) },
    },
  }));
}
