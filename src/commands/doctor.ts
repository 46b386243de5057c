import { type Define, surroundings } from "./command.js";

const marks = { ok: "ok  ", warning: "look", failed: "FAIL", skipped: "-   " } as const;

const define: Define = (command, run) => {
  command.option("--gpu", "Check what a GPU needs: driver, toolkit, devices, and the project's image").action(
    run(async (context, { gpu }: { gpu?: boolean }) => {
      const options = surroundings(context);
      const checks = gpu
        ? await (await import("../doctor/gpu.js")).examineGpu(options)
        : await (await import("../doctor/doctor.js")).examine(options);
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
