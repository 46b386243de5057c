import { describe, expect, test } from "vitest";
import { describeService } from "../../../src/client/description.js";
import { openApi } from "./openapi.js";

test("names, versions and routes are those of the document", () => {
  const service = describeService(openApi({ input: { type: "object" }, output: { type: "string" } }));
  expect(service).toMatchObject({ name: "digits", version: "1.2.0", api: "v1", maxRows: 64 });
  expect(service).toMatchObject({ chat: false, complete: false, embed: false });
  expect(service.predict).toMatchObject({
    types: { input: { type: "object" }, output: { type: "string" } },
    streams: false,
  });
});

test("of several API versions it is the newest, or the one that is asked for", () => {
  const document = openApi({});
  const paths = { ...document.paths, "/v2/predict": {}, "/v10/predict": {}, "/v2/models/x": {} };
  expect(describeService({ ...document, paths })).toMatchObject({ api: "v10", name: "digits:v10" });
  expect(describeService({ ...document, paths }, "v2")).toMatchObject({ api: "v2" });
  expect(() => describeService({ ...document, paths }, "v3")).toThrow(
    expect.objectContaining({ code: "usage", hint: "It has: v1, v2, v10." }),
  );
});

describe("what is no modelship service is an error", () => {
  test.each([
    null,
    [],
    "text",
    { openapi: "3.1.0" },
    { info: { title: "x", version: 1 }, paths: { "/v1/predict": {} } },
    { info: { title: "x", version: "1" }, paths: { "/v0; import os/predict": {} } },
  ])("%j", (document) => {
    expect(() => describeService(document)).toThrow(expect.objectContaining({ code: "input" }));
  });
});
