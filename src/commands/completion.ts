import { Argument, type Command, type Option } from "commander";
import { bashScript } from "../ui/completion/bash.js";
import { fishScript } from "../ui/completion/fish.js";
import type {
  Candidates,
  CompletionCommand,
  CompletionModel,
  CompletionOption,
} from "../ui/completion/model.js";
import { zshScript } from "../ui/completion/zsh.js";
import type { Define } from "./command.js";

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;
type Shell = keyof typeof scripts;

const define: Define = (command, run) => {
  command
    .addArgument(new Argument("<shell>", "the shell to complete in").choices(Object.keys(scripts)))
    .addHelpText(
      "after",
      `
Load it now, or from your shell's start-up file:
  bash   source <(modelship completion bash)
  zsh    source <(modelship completion zsh)
  fish   modelship completion fish | source`,
    )
    .action(
      run(async (_context, shell: Shell) => {
        const { listTemplates } = await import("../scaffold/template.js");
        const templates = (await listTemplates()).map(({ name }) => name);
        const script = scripts[shell](completionModel(command.parent ?? command, { template: templates }));
        return { json: { shell, script }, text: script };
      }),
    );
};
export default define;

/** Values of options, by their name: those that are known, though others are allowed. */
type Suggestions = Readonly<Record<string, readonly string[]>>;

/** What commander knows of the command line; every command has to be loaded. */
export function completionModel(program: Command, suggestions: Suggestions = {}): CompletionModel {
  return {
    program: program.name(),
    options: optionsOf(program, suggestions),
    commands: commandsOf(program, suggestions),
  };
}

function commandsOf(parent: Command, suggestions: Suggestions): CompletionCommand[] {
  return parent
    .createHelp()
    .visibleCommands(parent)
    .map((command) => ({
      name: command.name(),
      summary: command.description(),
      options: optionsOf(command, suggestions).filter((option) => option.long !== "--help"),
      operands: operandsOf(command),
      commands: commandsOf(command, suggestions),
    }));
}

function optionsOf(command: Command, suggestions: Suggestions): CompletionOption[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .map((option) => ({
      short: option.short,
      long: option.long,
      summary: option.description,
      repeats: option.variadic || Array.isArray(option.defaultValue),
      value: optionValue(option, suggestions),
    }));
}

function optionValue(option: Option, suggestions: Suggestions): CompletionOption["value"] {
  if (!option.required && !option.optional) return undefined;
  const name = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1] ?? "value";
  return {
    name,
    optional: option.optional,
    candidates: candidates(option.argChoices ?? suggestions[option.name()], `${name} ${option.name()}`),
  };
}

function operandsOf(command: Command): Candidates {
  const operands: readonly Argument[] = command.registeredArguments;
  const known = operands.find((operand) => operand.argChoices);
  if (known) return candidates(known.argChoices, "");
  return candidates(undefined, operands.map((operand) => operand.name()).join(" "));
}

/** What the words of a placeholder say about the value. */
function candidates(choices: readonly string[] | undefined, words: string): Candidates {
  if (choices) return { kind: "words", words: choices };
  if (/\b(dir|folder|directory)\b/i.test(words)) return { kind: "folders" };
  if (/file|path|\b(json|input|cert)\b/i.test(words)) return { kind: "files" };
  return { kind: "nothing" };
}
