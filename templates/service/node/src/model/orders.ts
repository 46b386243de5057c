/** What the service's thread and the model's say to each other: plain data, which is copied on its way. */
import type { Detail } from "../errors.js";
import type { Description, Inputs, JsonSchema, Outputs } from "../schema/schema.js";

/** What a model's thread is started with. */
export interface ThreadData {
  /** Absolute path of the project. */
  project: string;
  /** Of its model files. */
  files: string;
  /** API version to entry. */
  entries: ReadonlyMap<string, string>;
  /** For a library that computes. */
  threads: number;
}

export type Order =
  | { op: "predict"; api: string; parts: Inputs[] }
  | { op: "open"; api: string; stream: number; row: unknown }
  | { op: "step"; stream: number }
  | { op: "close"; stream: number };

/** `reason` is one line. `traceback` shows the user's frames; absent when the model did not throw. */
export interface Failure {
  kind: "failed";
  reason: string;
  traceback?: string | undefined;
}

/** The user's own checks refuse the input, or their defaults and conversions do. */
export interface Refusal {
  kind: "refused";
  /** `row` counts from the first of the part; the path begins in the row. */
  broken: (Detail & { row: number })[];
}

export type Reply = { kind: "outputs"; outputs: Outputs } | Failure | Refusal;
export type Step = { kind: "piece"; text: string } | { kind: "end" } | Failure | Refusal;

export type Stage = "import" | "schema" | "load" | "warm_up";

export type Word =
  | { word: "loaded"; described: Map<string, Description> }
  | { word: "unusable"; stage: Stage; reason: string; shown: string }
  | { word: "replies"; replies: Reply[] }
  | { word: "step"; step: Step };

export type { JsonSchema };
