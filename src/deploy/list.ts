import { connectEngine, type EngineChoice } from "../docker/connect.js";
import { isReady } from "../service/client.js";
import { listServices, type Service } from "./services.js";

export interface ListedService extends Service {
  /** `ready`, `starting` (it runs and does not answer yet), or `stopped`. */
  state: "ready" | "starting" | "stopped";
}

const longestAnswerMs = 1000;

/** The services that modelship started, each asked whether it is ready. */
export async function list(options: EngineChoice & { all?: boolean }): Promise<ListedService[]> {
  const engine = await connectEngine(options);
  const services = await listServices(engine, { all: options.all ?? false });
  return Promise.all(
    services.map(async (service) => {
      if (!service.running) return { ...service, state: "stopped" as const };
      const ready =
        service.url !== undefined && (await isReady(service.url, AbortSignal.timeout(longestAnswerMs)));
      return { ...service, state: ready ? ("ready" as const) : ("starting" as const) };
    }),
  );
}
