/** The routes of the Open Inference Protocol, version 2, and of the extensions that its clients use. */
import { ApiError } from "../../errors.js";
import { json } from "../../http/answer.js";
import { jsonOrBinaryTypes, parseJson } from "../../http/body.js";
import type { Request } from "../../http/request.js";
import type { Handler, Route } from "../../http/router.js";
import type { Served, Service } from "../../service.js";
import { live, ready } from "../probes.js";
import { answerOf } from "./answer.js";
import { readAsked } from "./asked.js";
import { generate, generateStream } from "./generate.js";
import { asked, checkName, config, index, metadata, numberOf, statistics } from "./models.js";

const extensions = [
  "binary_tensor_data",
  "model_configuration",
  "model_repository",
  "statistics",
  "generate",
];

const server: Handler = ({ settings: { name, version } }) => json({ name, version, extensions });

const modelReady: Handler = (service, request) => {
  asked(service, request);
  if (service.state !== "ready") throw service.notReady();
  return json({ name: service.settings.name, ready: true });
};

const stats: Handler = (service, request) => {
  if (request.params.version !== undefined)
    return json({ model_stats: statistics(service, [numberOf(asked(service, request))]) });
  if (request.params.model !== undefined) checkName(service, request);
  return json({ model_stats: statistics(service, [...service.served.values()].map(numberOf)) });
};

const repository: Handler = async (service, request) => {
  const body = await request.json();
  const value = body.length > 0 ? parseJson(body) : {};
  if (
    typeof value !== "object" ||
    value === null ||
    !["boolean", "undefined"].includes(typeof readyOf(value))
  )
    throw new ApiError(400, "invalid_json", 'the body must be empty or {"ready": true}');
  return json(index(service, readyOf(value) === true));
};

function readyOf(value: object): unknown {
  return (value as { ready?: unknown }).ready;
}

const infer: Handler = async (service, request) => {
  const served = asked(service, request);
  const { schema } = served;
  if (schema.streams) {
    const message = "the model answers in pieces: ask generate_stream or its own predict route";
    throw new ApiError(400, "bad_request", message);
  }
  const body = await request.body(jsonOrBinaryTypes);
  const header = request.headers["inference-header-content-length"];
  const question = readAsked(body, header as string | undefined, schema, service.settings.maxJsonDepth);
  const decoded = schema.fromTensors(question.tensors);
  const { timeoutS } = service.settings;
  const patienceS = Math.min(timeoutS, question.timeoutS ?? timeoutS);
  const outputs = await service.predict(served, decoded, request, { patienceS });
  return service.encoded(
    () =>
      answerOf(schema.toTensors(outputs), question, {
        model_name: service.settings.name,
        model_version: numberOf(served),
      }),
    request.id,
  );
};

function shown(show: (service: Service, served: Served) => unknown): Handler {
  return (service: Service, request: Request) => json(show(service, asked(service, request)));
}

function route(method: string, template: string, handler: Handler): Route {
  return { method, template, handler, scope: "predict", family: "oip" };
}

function ofModel(path: string): Route[] {
  return [
    route("GET", path, shown(metadata)),
    route("GET", `${path}/ready`, modelReady),
    route("GET", `${path}/config`, shown(config)),
    route("GET", `${path}/stats`, stats),
    route("POST", `${path}/infer`, infer),
    route("POST", `${path}/generate`, generate),
    route("POST", `${path}/generate_stream`, generateStream),
  ];
}

export const oipRoutes: readonly Route[] = [
  route("GET", "/v2", server),
  { ...route("GET", "/v2/health/live", live), scope: "open" },
  { ...route("GET", "/v2/health/ready", ready), scope: "open" },
  route("GET", "/v2/models", ({ settings }) => json({ models: [settings.name] })),
  route("GET", "/v2/models/stats", stats),
  route("POST", "/v2/repository/index", repository),
  ...ofModel("/v2/models/{model}"),
  ...ofModel("/v2/models/{model}/versions/{version}"),
];
