import type { BuildEvent } from "../docker/build-events.js";
import type { Reporter } from "../reporter.js";
import type { DockerfileStage } from "./dockerfile-step.js";

/**
 * Turns the engine's steps into tasks with the titles of our own Dockerfile. Steps that only set metadata, and the
 * engine's internal ones, stay silent unless they fail.
 */
export function buildProgress(titleOf: StepTitles, report: Reporter): (event: BuildEvent) => void {
  const shown = new Map<string, string>();
  return (event) => {
    if (event.type === "step") {
      const title = shown.get(event.id) ?? titleOf(event.name);
      if (title === undefined && event.state !== "failed") return;
      const text = title ?? event.name;
      if (event.state === "started" || !shown.has(event.id)) {
        report({ type: "task-started", id: event.id, title: text });
        shown.set(event.id, text);
      }
      if (event.state !== "started") {
        report({
          type: "task-ended",
          id: event.id,
          outcome: event.state,
          ...(event.seconds !== undefined && { seconds: event.seconds }),
        });
      }
    } else if (shown.has(event.id)) {
      if (event.type === "log") {
        report({ type: "task-output", id: event.id, line: event.line });
        const said = /^modelship: warning: (.+)$/.exec(event.line)?.[1];
        if (said) report({ type: "warning", message: said });
      } else {
        report({
          type: "task-progress",
          id: event.id,
          current: event.current,
          total: event.total,
          unit: "bytes",
          detail: event.label,
        });
      }
    }
  };
}

/** The title of a step by the name that an engine gives it; `undefined` for one that is not worth a line. */
export type StepTitles = (name: string) => string | undefined;

export function stepTitles(stages: readonly DockerfileStage[]): StepTitles {
  const titles = new Map<string, string>();
  for (const step of stages.flatMap((stage) => stage.steps)) {
    if (step.title) titles.set(normalise(step.instruction), step.title);
  }
  return (name) => {
    if (name.startsWith("exporting to ")) return "Export the image";
    return titles.get(normalise(name.replace(/^\[[^\]]*\]\s*/, "").replace(/^Step \d+\/\d+ ?: ?/i, "")));
  };
}

/** Engines fold continuation lines and spaces, each in its own way. */
function normalise(instruction: string): string {
  return instruction.replace(/\\\n/g, " ").replace(/\s+/g, " ").trim();
}
