import type { Define } from "./command.js";

const define: Define = (command, run) => {
  command.action(
    run(async () => {
      const { listTemplates } = await import("../scaffold/template.js");
      const templates = await listTemplates();
      const width = Math.max(...templates.map(({ name }) => name.length)) + 2;
      return {
        json: {
          templates: templates.map(({ name, title, description, serves, tasks, questions }) => ({
            name,
            title,
            description,
            serves,
            tasks: tasks ?? null,
            questions: questions.map(({ when, choices, ...question }) => ({
              ...question,
              choices: choices ?? null,
              when: when ?? null,
            })),
          })),
        },
        text: templates.map(({ name, description }) => `${name.padEnd(width)}${description}`).join("\n"),
      };
    }),
  );
};
export default define;
