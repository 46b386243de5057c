import { UserError } from "../errors.js";
import type { Occasion, TemplateQuestion } from "./manifest.js";

export interface AnswerOptions {
  questions: readonly TemplateQuestion[];
  occasion: Occasion;
  /** `name=value`, as `--set` has them. */
  settings: readonly string[];
  /** Asks a person; without it, defaults are taken. */
  ask?: ((question: TemplateQuestion) => Promise<string>) | undefined;
}

/** The answer to each of a template's questions, also to those that are not asked on this occasion: their default. */
export async function answerQuestions(options: AnswerOptions): Promise<Record<string, string>> {
  const given = readSettings(options.settings, options.questions);
  const answers: Record<string, string> = {};
  for (const question of options.questions) {
    const set = given.get(question.name);
    const asked = question.when === undefined || question.when === options.occasion;
    if (set !== undefined) answers[question.name] = set;
    else answers[question.name] = asked && options.ask ? await options.ask(question) : question.default;
  }
  return answers;
}

/** What is wrong with an answer, or nothing. */
export function wrongAnswer(question: TemplateQuestion, answer: string): string | undefined {
  if (question.choices && !question.choices.includes(answer)) {
    return `Choose one of: ${question.choices.join(", ")}.`;
  }
  if (/[\p{Cc}\p{Cs}]/u.test(answer)) return "An answer is one line, without control characters.";
  return answer.length > 500 ? "An answer has at most 500 characters." : undefined;
}

function readSettings(
  settings: readonly string[],
  questions: readonly TemplateQuestion[],
): Map<string, string> {
  const given = new Map<string, string>();
  for (const setting of settings) {
    const at = setting.indexOf("=");
    const name = setting.slice(0, Math.max(0, at));
    const value = setting.slice(at + 1);
    if (name === "") {
      throw new UserError("usage", `"${setting}" in --set has no name and value.`, {
        hint: "Write it like --set name=value.",
      });
    }
    const question = questions.find((candidate) => candidate.name === name);
    if (!question) {
      throw new UserError("usage", `The template does not ask for "${name}".`, {
        hint:
          questions.length === 0
            ? "It asks for nothing: leave --set out."
            : `--set takes: ${questions.map((one) => one.name).join(", ")}.`,
      });
    }
    const wrong = wrongAnswer(question, value);
    if (wrong !== undefined) {
      throw new UserError("usage", `"${value}" cannot be set as ${name}.`, { hint: wrong });
    }
    given.set(name, value);
  }
  return given;
}
