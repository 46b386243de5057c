import { type Define, surroundings } from "./command.js";

const marks = { ok: "ok  ", warning: "look", failed: "FAIL", skipped: "-   " } as const;

const define: Define = (command, run) => {
  command.action(
    run(async (context) => {
      const { examine } = await import("../doctor/doctor.js");
      const checks = await examine(surroundings(context));
      const failed = checks.filter((check) => check.status === "failed");
      const lines = checks.flatMap(({ name, status, message, hint }) => [
        `${marks[status]}  ${name.padEnd(11)}  ${message}`,
        ...(hint ? [`      ${" ".repeat(11)}  ${hint}`] : []),
      ]);
      return {
        json: {
          ok: failed.length === 0,
          checks: checks.map(({ name, status, message, hint }) => ({
            name,
            status,
            message,
            ...(hint && { hint }),
          })),
        },
        text: lines.join("\n"),
        exitCode: failed[0]?.exitCode ?? (failed.length > 0 ? 1 : 0),
      };
    }),
  );
};

export default define;
