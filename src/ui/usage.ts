import type { CommanderError } from "commander";
import { UserError } from "../errors.js";

/** A complaint of commander in our terms; `command` is the subcommand it is about, if it is about one. */
export function usageError(error: CommanderError, command?: string): UserError {
  const { sentence, suggestion } = split(error.message);
  const help = `modelship ${command ? `${command} ` : ""}--help`;
  return new UserError("usage", sentence, {
    hint: suggestion ? `Did you mean ${suggestion}? See ${help}.` : `See ${help}.`,
    cause: error,
  });
}

function split(message: string): { sentence: string; suggestion: string | undefined } {
  const text = message.replace(/^error: /, "");
  const match = /^(?<text>[\s\S]*?)\s*\(Did you mean (?<suggestion>.+)\?\)\s*$/.exec(text);
  const sentence = (match?.groups?.text ?? text).trim();
  return {
    sentence: `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}${/[.?!]$/.test(sentence) ? "" : "."}`,
    suggestion: match?.groups?.suggestion,
  };
}
