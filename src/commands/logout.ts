import type { Define } from "./command.js";

const define: Define = (command, run) => {
  command.argument("[registry]", "Registry host; default: Docker Hub", "docker.io").action(
    run(async (context, registry: string) => {
      const { logout } = await import("../registry/login.js");
      const result = await logout({ registry, env: context.env });
      const message =
        result.removed.length > 0
          ? `Signed out of ${result.registry}; removed from ${result.removed.join(", ")}`
          : `There were no credentials for ${result.registry}`;
      context.report({ type: "note", message });
      return { json: { ...result } };
    }),
  );
};

export default define;
