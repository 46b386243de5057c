/** What a service says of itself, in as few words as it can be said. */
export function openApi(types: { input?: unknown; output?: unknown; schemas?: Record<string, unknown> }) {
  const { input = {}, output = {}, schemas = {} } = types;
  const many = (items: unknown) => ({
    type: "object",
    properties: { rows: { type: "array", items, maxItems: 64 } },
  });
  const body = (schema: unknown) => ({ content: { "application/json": { schema } } });
  return {
    info: { title: "digits", version: "1.2.0" },
    paths: {
      "/v1/predict": {
        post: {
          requestBody: body({ anyOf: [input, many(input)] }),
          responses: { "200": body({ anyOf: [output, many(output)] }) },
        },
      },
    },
    components: { schemas },
  };
}
