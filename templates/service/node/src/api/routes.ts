/** All the routes of the service, in one list. */
import { type Answer, json } from "../http/answer.js";
import type { Handler, Route } from "../http/router.js";
import { metricsType } from "../metrics.js";
import type { Settings } from "../settings.js";
import * as jobs from "./jobs.js";
import { oipRoutes } from "./oip/routes.js";
import { pages } from "./pages.js";
import { predict } from "./predict.js";
import * as probes from "./probes.js";

export function routes(settings: Settings): Route[] {
  return [
    ...pageRoutes(settings),
    own("GET", "/openapi.json", openapi),
    { ...own("GET", "/metrics", metrics), scope: "metrics" },
    probe("/healthz", probes.live),
    probe("/startupz", probes.started),
    probe("/readyz", probes.ready),
    ...[...settings.entry.keys()].flatMap(versionRoutes),
    ...oipRoutes,
  ];
}

function own(method: string, template: string, handler: Handler): Route {
  return { method, template, handler, scope: "predict", family: "own" };
}

function probe(template: string, handler: Handler): Route {
  return { method: "GET", template, handler, scope: "open", family: "own" };
}

function versionRoutes(api: string): Route[] {
  return [
    own("POST", `/${api}/predict`, predict),
    own("GET", `/${api}/model`, model),
    own("POST", `/${api}/jobs`, jobs.start),
    own("GET", `/${api}/jobs/{id}`, jobs.show),
    own("DELETE", `/${api}/jobs/{id}`, jobs.end),
  ];
}

function pageRoutes(settings: Settings): Route[] {
  const shown = Object.entries(pages(settings.playground)).map(
    ([path, page]): Route => ({ ...own("GET", path, () => page), family: "page", locked: page }),
  );
  return settings.playground ? shown : [own("GET", "/", index), ...shown];
}

const index: Handler = ({ settings, state }) =>
  json({
    name: settings.name,
    version: settings.version,
    state,
    routes: routes(settings).map(({ method, template }) => `${method} ${template}`),
  });

const openapi: Handler = (service) => {
  if (service.openapi === undefined) throw service.notReady();
  return { status: 200, body: service.openapi };
};

const metrics: Handler = (service): Answer => ({
  status: 200,
  body: service.metricsText(),
  type: metricsType,
});

/** What is served, and exactly which files. */
const model: Handler = async (service, request) => {
  const { api, schema, example } = service.api(request.path.split("/", 2)[1]);
  const { name, version, imageDigest } = service.settings;
  return json({
    name,
    version,
    api,
    kind: schema.kind,
    image_digest: imageDigest ?? null,
    methods: ["predict"],
    streams: schema.streams,
    max_rows: schema.maxRows,
    input: schema.input,
    output: schema.output,
    inputs: schema.inputs,
    outputs: schema.outputs,
    files: await service.fileDigests(),
    example: example.shown,
  });
};
