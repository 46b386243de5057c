import { setTimeout as sleep } from "node:timers/promises";
import { interrupted } from "../../errors.js";
import { type RetryOptions, retryAfter } from "../retry.js";
import type { Setback } from "./setback.js";

/** In a row, without any bytes that arrived. */
const mostSetbacks = 5;
const longestWait = 120_000;
const longestBackoff = 30_000;

/** How often an upload is tried again, and how long is waited before. */
export class Patience {
  private readonly options: RetryOptions;
  private readonly signal: AbortSignal | undefined;
  private readonly tell: (detail: string) => void;
  private setbacks = 0;
  private refused = false;

  constructor(options: RetryOptions, signal: AbortSignal | undefined, tell: (detail: string) => void) {
    const signals = [options.signal, signal].filter((one) => one !== undefined);
    this.options = options;
    this.signal = signals.length > 0 ? AbortSignal.any(signals) : undefined;
    this.tell = tell;
  }

  /** Bytes have arrived. */
  restore(): void {
    this.setbacks = 0;
    this.refused = false;
  }

  /** Waits as long as it makes sense to; throws the setback when it makes none any more. */
  async after(setback: Setback): Promise<void> {
    const login = setback.answer?.status === 401;
    if (login && this.refused) throw setback;
    this.refused = login;
    if (setback.goOn !== "later") return;
    this.setbacks++;
    const wait = retryAfter(setback.answer) ?? this.backoff(this.setbacks);
    if (this.setbacks > mostSetbacks || wait > longestWait) throw setback;
    this.tell(`Retrying in ${Math.ceil(wait / 1000)} s: ${setback.reason}`);
    await this.wait(wait);
  }

  /** Waits for the n-th time. */
  pause(attempt: number): Promise<void> {
    return this.wait(this.backoff(attempt));
  }

  private backoff(attempt: number): number {
    const wait = (this.options.backoff ?? 500) * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
    return Math.min(longestBackoff, wait);
  }

  private async wait(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { ...(this.signal && { signal: this.signal }) }).catch(() => {
      throw interrupted();
    });
  }
}
