import { connect, type Engine } from "./client.js";
import { resolveEndpoint } from "./endpoint.js";

/** How a user chose the engine. */
export interface EngineChoice {
  /** `--host`. */
  host?: string | undefined;
  /** `--context`. */
  context?: string | undefined;
  env: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
}

/** Finds the engine as the Docker CLI would and asks what it is. Throws `engine_unreachable` or `engine_permission`. */
export async function connectEngine(choice: EngineChoice): Promise<Engine> {
  const endpoint = await resolveEndpoint({
    env: choice.env,
    ...(choice.host !== undefined && { host: choice.host }),
    ...(choice.context !== undefined && { context: choice.context }),
  });
  return connect(endpoint, { env: choice.env, ...(choice.signal && { signal: choice.signal }) });
}
