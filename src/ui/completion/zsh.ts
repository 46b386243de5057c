import {
  type Candidates,
  type CompletionCommand,
  type CompletionModel,
  type CompletionOption,
  optionNames,
  quote,
} from "./model.js";

/** Works from a file in $fpath and when sourced after compinit. */
export function zshScript(model: CompletionModel): string {
  const name = `_${model.program}`;
  return `#compdef ${model.program}
# zsh completion for ${model.program}. Load it with: source <(${model.program} completion zsh)
${name}() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  local -a globals commands
  globals=(
${lines(model.options.flatMap(specs), 4)}
  )
  commands=(
${lines(
  model.commands.map((command) => quote(`${command.name}:${command.summary}`)),
  4,
)}
  )
  _arguments -C -s $globals '1:command:->command' '*::argument:->argument' && return
  case $state in
    command)
      _describe command commands
      ;;
    argument)
      case $words[1] in
${model.commands.map((command) => commandCase(command, 8)).join("\n")}
      esac
      ;;
  esac
}

if [[ $funcstack[1] == ${name} ]]; then
  ${name} "$@"
else
  compdef ${name} ${model.program}
fi
`;
}

/** The branch for one command; one with commands of its own looks at the next word in the same way. */
function commandCase(command: CompletionCommand, indent: number): string {
  const own = command.commands;
  const operands =
    own.length > 0
      ? [quote(`1:command:(${own.map(({ name }) => name).join(" ")})`), quote("*::argument:->own")]
      : operand(command.operands);
  const given = [...command.options.flatMap(specs), ...operands];
  const branch = [
    `${command.name})`,
    `  _arguments ${own.length > 0 ? "-C " : ""}-s $globals \\`,
    lines(given, 4).replaceAll("\n", " \\\n") + (own.length > 0 ? " && return" : ""),
    ...(own.length > 0 ? ["  case $words[1] in", ...own.map((one) => commandCase(one, 4)), "  esac"] : []),
    "  ;;",
  ];
  return lines(branch.join("\n").split("\n"), indent);
}

/** One _arguments spec for each spelling; spellings of one option exclude each other. */
function specs(option: CompletionOption): string[] {
  const names = optionNames(option);
  const prefix = option.repeats ? "*" : names.length > 1 ? `(${names.join(" ")})` : "";
  return names.map((flag) => {
    const { value } = option;
    const long = flag.startsWith("--");
    const join = value === undefined ? "" : value.optional ? (long ? "=-" : "-") : long ? "=" : "+";
    const argument = value
      ? `:${value.optional ? ":" : ""}${text(value.name)}:${action(value.candidates)}`
      : "";
    return quote(`${prefix}${flag}${join}[${text(option.summary)}]${argument}`);
  });
}

function operand(candidates: Candidates): string[] {
  return candidates.kind === "nothing" ? [] : [quote(`*:argument:${action(candidates)}`)];
}

function action(candidates: Candidates): string {
  switch (candidates.kind) {
    case "words":
      return `(${candidates.words.join(" ")})`;
    case "files":
      return "_files";
    case "folders":
      return "_files -/";
    case "nothing":
      return " ";
  }
}

/** Text inside a spec, where brackets, colons and backslashes mean something. */
function text(value: string): string {
  return value.replace(/[[\]:\\]/g, "\\$&");
}

function lines(items: readonly string[], indent: number): string {
  return items.map((item) => `${" ".repeat(indent)}${item}`).join("\n");
}
