/** `generate` and `generate_stream`: the fields of a row in and out, whole or piece by piece. */
import { refused } from "../../errors.js";
import { json } from "../../http/answer.js";
import { parseJson } from "../../http/body.js";
import { begin, event } from "../../http/events.js";
import type { Request } from "../../http/request.js";
import type { Handler } from "../../http/router.js";
import type { Service } from "../../service.js";
import { bodyOf } from "../predict.js";
import { asked, numberOf } from "./models.js";

type Fields = Record<string, unknown>;

export const generate: Handler = async (service, request) => {
  const { head, pieces } = await ask(service, request);
  const whole: Fields = {};
  try {
    for await (const piece of pieces) {
      // Texts are parts of one; of all else the last counts.
      for (const [name, value] of Object.entries(JSON.parse(piece) as Fields)) {
        const before = whole[name];
        whole[name] = typeof before === "string" && typeof value === "string" ? before + value : value;
      }
    }
  } catch (error) {
    throw service.told(error, request.id);
  }
  return json({ ...head, ...whole });
};

export const generateStream: Handler = async (service, request) => {
  const { head, pieces } = await ask(service, request);
  const failed = (error: unknown) => event(bodyOf(service, request, error, "oip"));
  try {
    return { chunks: await begin(frames(head, pieces), service.settings.heartbeatS, failed) };
  } catch (error) {
    throw service.told(error, request.id);
  }
};

async function* frames(head: Fields, pieces: AsyncGenerator<string>): AsyncGenerator<string> {
  for await (const piece of pieces)
    yield event(JSON.stringify({ ...head, ...(JSON.parse(piece) as Fields) }));
}

/** What every answer says, and the pieces. A parameter is a field when the model has one of its name. */
async function ask(
  service: Service,
  request: Request,
): Promise<{ head: Fields; pieces: AsyncGenerator<string> }> {
  const served = asked(service, request);
  const given = parseJson(await request.json());
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw refused("body", "must be an object", "model_type");
  const { id, parameters, ...fields } = given as Fields;
  const { schema } = served;
  const names = new Set(schema.inputs.map(({ name }) => name));
  const head: Fields = { model_name: service.settings.name, model_version: numberOf(served) };
  if (names.has("id")) fields.id = id;
  else if (typeof id === "string") head.id = id;
  if (names.has("parameters")) fields.parameters = parameters;
  const known = Object.entries(parameters ?? {}).filter(([name]) => names.has(name));
  const row = { ...Object.fromEntries(known), ...fields };
  const decoded = schema.decode(Buffer.from(JSON.stringify(schema.envelopeOnly ? { rows: [row] } : row)));
  request.rows = 1;
  if (schema.streams) return { head, pieces: service.stream(served, decoded, request) };
  const outputs = await service.predict(served, decoded, request);
  const text = service.encoded(() => schema.encode(outputs, false), request.id);
  return { head, pieces: only(text) };
}

async function* only(text: string): AsyncGenerator<string> {
  yield text;
}
