/** What goes wrong with a request. `at` is a part of its body: 0.5 means in the middle. */
export type Fault =
  /** The connection is cut. */
  | { kind: "reset"; at: number }
  /** An answer in place of the right one; with `at`, as soon as so much of the body has come. */
  | { kind: "status"; status: number; at?: number; code?: string; headers?: Record<string, string> }
  /** Everything is done, and the answer says this instead of success; 0: the connection is cut in its place. */
  | { kind: "done-but"; status: number; code?: string }
  /** Everything is done, only later. */
  | { kind: "slow"; milliseconds: number }
  /** Nothing more is read or said. */
  | { kind: "hang"; at: number }
  /** Sent on to the stand-in's other host. */
  | { kind: "redirect"; status: 307 | 308 }
  /** The answer names a digest that is not that of the bytes. */
  | { kind: "wrong-digest" }
  /** One byte of the body is changed. */
  | { kind: "damage" }
  /** The content ends early, though its length was announced. */
  | { kind: "short" }
  /** All tokens so far count no longer. */
  | { kind: "expire" };

export interface PlannedFault {
  method: "GET" | "HEAD" | "POST" | "PATCH" | "PUT" | "DELETE";
  /** Only requests whose path and query match. */
  path?: RegExp;
  /** Requests that go well before it. */
  after?: number;
  /** Requests that it happens to; one unless given. */
  times?: number;
  fault: Fault;
}

/** Faults that wait for their request. */
export class FaultPlan {
  private readonly faults: Required<PlannedFault>[] = [];

  add(planned: PlannedFault): void {
    this.faults.push({ path: /./, after: 0, times: 1, ...planned });
  }

  take(method: string, path: string): Fault | undefined {
    const next = this.faults.find((one) => one.method === method && one.path.test(path) && one.times > 0);
    if (!next) return undefined;
    if (next.after > 0) {
      next.after--;
      return undefined;
    }
    next.times--;
    return next.fault;
  }
}
