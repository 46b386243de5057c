/** `POST /v1/predict`: one row, or many, or a stream where the model is a generator. */
import { ApiError } from "../errors.js";
import type { Answer } from "../http/answer.js";
import { begin, event } from "../http/events.js";
import type { Request } from "../http/request.js";
import type { Handler } from "../http/router.js";
import type { Service } from "../service.js";

export const predict: Handler = async (service, request) => {
  const served = service.api(request.path.split("/", 2)[1]);
  const decoded = served.schema.decode(await request.json());
  if (!served.schema.streams) {
    const outputs = await service.predict(served, decoded, request);
    const body = service.encoded(() => served.schema.encode(outputs, decoded.many), request.id);
    return { status: 200, body };
  }
  request.rows = 1;
  const pieces = service.stream(served, decoded, request);
  if (request.accepts("application/json") && !request.accepts("text/event-stream"))
    return collected(service, request, pieces, decoded.many);
  const { heartbeatS } = service.settings;
  try {
    const failed = (error: unknown) => event(bodyOf(service, request, error), "error");
    return { chunks: await begin(frames(pieces), heartbeatS, failed) };
  } catch (error) {
    throw service.told(error, request.id, decoded.many);
  }
};

async function* frames(pieces: AsyncGenerator<string>): AsyncGenerator<string> {
  for await (const piece of pieces) yield event(piece);
  yield event("{}", "done");
}

/** For clients that cannot read a stream: all pieces in one answer. */
async function collected(
  service: Service,
  request: Request,
  pieces: AsyncGenerator<string>,
  many: boolean,
): Promise<Answer> {
  const found: string[] = [];
  try {
    for await (const piece of pieces) found.push(piece);
  } catch (error) {
    throw service.told(error, request.id, many);
  }
  return { status: 200, body: `{"pieces":[${found.join(",")}]}` };
}

/** Of an error that came when the answer had begun. */
export function bodyOf(
  service: Service,
  request: Request,
  error: unknown,
  family: "own" | "oip" = "own",
): string {
  const told = service.told(error, request.id);
  if (told instanceof ApiError) return told.body(request.id, family);
  throw told;
}
