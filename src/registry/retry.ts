import { setTimeout as sleep } from "node:timers/promises";
import { interrupted, systemCode } from "../errors.js";
import type { Answer } from "./transport.js";

export interface RetryOptions {
  signal?: AbortSignal | undefined;
  /** Milliseconds before the second attempt; each further one waits twice as long. */
  backoff?: number | undefined;
  onRetry?: ((retry: { reason: string; seconds: number }) => void) | undefined;
}

const attempts = 4;
/** Whoever asks us to wait for longer is told to the user instead. */
const longestWait = 30_000;
const passing = new Set([408, 429, 500, 502, 503, 504]);
const passingCodes = new Set(["ECONNRESET", "EPIPE", "EAI_AGAIN"]);

/** Sends again while the failure may pass; the last answer or error is the result. */
export async function withRetries(send: () => Promise<Answer>, options: RetryOptions = {}): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const { answer, error } = await send().then(
      (answer) => ({ answer, error: undefined }),
      (error: unknown) => ({ answer: undefined, error }),
    );
    const again = answer ? passing.has(answer.status) : passingCodes.has(systemCode(error) ?? "");
    const wait =
      retryAfter(answer) ?? (options.backoff ?? 500) * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
    if (!again || attempt === attempts || wait > longestWait) {
      if (answer) return answer;
      throw error;
    }
    const reason = answer ? `HTTP ${answer.status}` : (systemCode(error) ?? "");
    options.onRetry?.({ reason, seconds: wait / 1000 });
    await sleep(wait, undefined, { ...(options.signal && { signal: options.signal }) }).catch(() => {
      throw interrupted();
    });
  }
}

/** Milliseconds that a Retry-After header asks for, as a number of seconds or as a date. */
export function retryAfter(answer: Pick<Answer, "headers"> | undefined): number | undefined {
  const text = answer?.headers["retry-after"];
  if (!text) return undefined;
  const milliseconds = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}
