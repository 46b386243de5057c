import type { Reporter } from "../reporter.js";

/** Turns events into something to see. */
export interface Renderer {
  report: Reporter;
  /** Takes what moves off the screen; called once, before the last words. */
  close: () => void;
}
