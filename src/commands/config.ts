import type { Define } from "./command.js";

const define: Define = (command, run) => {
  command.option("--schema", "Print the JSON Schema of modelship.yaml").action(
    run(async (context, flags: { schema?: boolean }) => {
      if (flags.schema) {
        const { projectJsonSchema } = await import("../project/schema.js");
        const schema = projectJsonSchema();
        return { json: schema, text: JSON.stringify(schema, null, 2) };
      }
      const [{ loadProject }, { describeSettings }] = await Promise.all([
        import("../project/load.js"),
        import("../project/describe.js"),
      ]);
      const project = await loadProject({ cwd: context.cwd, dir: context.globals.project, env: context.env });
      const described = describeSettings(project, "modelship.yaml");
      const rows = described.map(({ key, value, from }) => [key, JSON.stringify(value), from] as const);
      const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length));
      return {
        json: { file: project.file, settings: described },
        text: rows
          .map(([key, value, from]) => `${key.padEnd(width(0))}  ${value.padEnd(width(1))}  ${from}`)
          .join("\n"),
      };
    }),
  );
};

export default define;
