import { CommanderError } from "commander";
import { expect, test } from "vitest";
import { usageError } from "../../../src/ui/usage.js";

test("commander's complaint becomes a sentence and a hint", () => {
  const error = usageError(
    new CommanderError(1, "commander.unknownOption", "error: unknown option '--tga'\n(Did you mean --tag?)"),
    "build",
  );
  expect(error).toMatchObject({
    code: "usage",
    exitCode: 2,
    message: "Unknown option '--tga'.",
    hint: "Did you mean --tag? See modelship build --help.",
  });
});

test("without a suggestion or a command the hint names the general help", () => {
  expect(
    usageError(new CommanderError(1, "commander.unknownCommand", "error: unknown command 'x'")),
  ).toMatchObject({
    message: "Unknown command 'x'.",
    hint: "See modelship --help.",
  });
});
