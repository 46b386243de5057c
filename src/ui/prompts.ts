import { interrupted } from "../errors.js";

/**
 * Questions to a person, asked on stderr so that stdout stays the result. Call them only when
 * `CommandContext.interactive` is true; every question has a flag that answers it.
 */
export interface Question {
  message: string;
  signal?: AbortSignal | undefined;
}

export interface Choice<T> {
  value: T;
  name: string;
  description?: string;
}

/** `validate` returns what is wrong with the answer, or nothing when it is fine. */
export async function askText(
  question: Question & { default?: string; validate?: (answer: string) => string | undefined },
): Promise<string> {
  const validate = question.validate;
  const answer = await ask<string>(question, {
    type: "input",
    ...(question.default !== undefined && { default: question.default }),
    ...(validate && { validate: (text: string) => validate(text.trim()) ?? true }),
  });
  return answer.trim();
}

export async function askSelect<T>(
  question: Question & { choices: readonly Choice<T>[]; default?: T },
): Promise<T> {
  return ask<T>(question, {
    type: "select",
    choices: question.choices,
    ...(question.default !== undefined && { default: question.default }),
  });
}

export async function askConfirm(question: Question & { default?: boolean }): Promise<boolean> {
  return ask<boolean>(question, { type: "confirm", default: question.default ?? true });
}

/** What is typed is not shown. */
export async function askPassword(question: Question): Promise<string> {
  return ask<string>(question, { type: "password" });
}

async function ask<T>(question: Question, settings: Record<string, unknown>): Promise<T> {
  const { default: inquirer } = await import("inquirer");
  if (question.signal?.aborted) throw interrupted();
  const prompt = inquirer.createPromptModule({
    output: process.stderr,
    ...(question.signal && { signal: question.signal }),
  });
  // inquirer derives the answers' types from literal questions; ours are built, so the answer is typed here.
  const askAll = prompt as unknown as (questions: object[]) => Promise<{ answer: T }>;
  try {
    const { answer } = await askAll([{ name: "answer", message: question.message, ...settings }]);
    return answer;
  } catch (error) {
    const name = error instanceof Error ? error.name : "";
    if (name === "ExitPromptError" || name === "AbortPromptError" || name === "CancelPromptError") {
      throw interrupted();
    }
    throw error;
  }
}
