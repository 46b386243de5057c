import { expect, test } from "vitest";
import { checkManifest } from "../../../src/scaffold/manifest.js";
import { answerQuestions } from "../../../src/scaffold/questions.js";

const { questions } = checkManifest(
  {
    title: "x",
    description: "x",
    questions: [
      { name: "engine", message: "Which engine", default: "cpu", choices: ["cpu", "gpu"] },
      { name: "label", message: "Label", default: "spam", when: "model" },
    ],
  },
  "x",
);

test("defaults are taken where nobody can be asked", async () => {
  expect(await answerQuestions({ questions, occasion: "model", settings: [] })).toEqual({
    engine: "cpu",
    label: "spam",
  });
});

test("a question is asked on its occasion only, and never when it was answered", async () => {
  const asked: string[] = [];
  const ask = async ({ name }: { name: string }) => {
    asked.push(name);
    return `${name}!`;
  };
  expect(await answerQuestions({ questions, occasion: "example", settings: [], ask })).toEqual({
    engine: "engine!",
    label: "spam",
  });
  expect(await answerQuestions({ questions, occasion: "model", settings: ["engine=gpu"], ask })).toEqual({
    engine: "gpu",
    label: "label!",
  });
  expect(asked).toEqual(["engine", "label"]);
});

test("a value may hold an equals sign, and the last one counts", async () => {
  const settings = ["label=a", "label=b=c"];
  expect((await answerQuestions({ questions, occasion: "model", settings })).label).toBe("b=c");
});

test.each([
  ["engine", "has no name and value"],
  ["=x", "has no name and value"],
  ["engin=cpu", 'does not ask for "engin"'],
  ["engine=tpu", "cannot be set as engine"],
  ["label=a\nb", "cannot be set as label"],
])("--set %j is refused", async (setting, message) => {
  await expect(answerQuestions({ questions, occasion: "model", settings: [setting] })).rejects.toMatchObject({
    code: "usage",
    message: expect.stringContaining(message),
  });
});

test.each([
  [{ name: "model", message: "x", default: "" }],
  [{ name: "py", message: "x", default: "" }],
  [{ name: "a-b", message: "x", default: "" }],
  [{ name: "a", message: "x\ny", default: "" }],
  [{ name: "a", message: "x", default: "c", choices: ["a", "b"] }],
])("a template may not ask %j", (question) => {
  expect(() => checkManifest({ title: "x", description: "x", questions: [question] }, "x")).toThrow(
    "is not valid",
  );
});

test("a template asks for nothing twice", () => {
  const question = { name: "a", message: "x", default: "" };
  expect(() =>
    checkManifest({ title: "x", description: "x", questions: [question, question] }, "x"),
  ).toThrow();
});
