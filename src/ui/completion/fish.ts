import type { Candidates, CompletionCommand, CompletionModel, CompletionOption } from "./model.js";

/** For fish 3.0 and newer. */
export function fishScript(model: CompletionModel): string {
  const complete = `complete -c ${model.program}`;
  const lines = [
    `# fish completion for ${model.program}. Load it with: ${model.program} completion fish | source`,
    `${complete} -f`,
    ...model.options.map((option) => `${complete}${optionArguments(option)}`),
  ];
  for (const command of model.commands) {
    lines.push(`${complete} -n __fish_use_subcommand -a ${command.name} -d ${quoteFish(command.summary)}`);
    lines.push(...commandLines(complete, command, `__fish_seen_subcommand_from ${command.name}`));
  }
  return `${lines.join("\n")}\n`;
}

/** `seen` is the condition under which the command is the one being typed. */
function commandLines(complete: string, command: CompletionCommand, seen: string): string[] {
  const when = `${complete} -n ${quoteFish(seen)}`;
  const operands = candidateArguments(command.operands);
  const own = command.commands.map(({ name }) => name).join(" ");
  return [
    ...command.options.map((option) => `${when}${optionArguments(option)}`),
    ...(operands ? [`${when}${operands}`] : []),
    ...command.commands.flatMap((one) => [
      `${complete} -n ${quoteFish(`${seen}; and not __fish_seen_subcommand_from ${own}`)} -a ${one.name} -d ${quoteFish(one.summary)}`,
      ...commandLines(complete, one, `${seen}; and __fish_seen_subcommand_from ${one.name}`),
    ]),
  ];
}

function optionArguments(option: CompletionOption): string {
  const short = option.short ? ` -s ${option.short.slice(1)}` : "";
  const long = option.long ? ` -l ${option.long.slice(2)}` : "";
  const { value } = option;
  const argument =
    value && !value.optional
      ? ` ${value.candidates.kind === "files" ? "-r" : "-x"}${candidateArguments(value.candidates)}`
      : "";
  return `${short}${long}${argument} -d ${quoteFish(option.summary)}`;
}

function candidateArguments(candidates: Candidates): string {
  switch (candidates.kind) {
    case "words":
      return ` -a ${quoteFish(candidates.words.join(" "))}`;
    case "files":
      return " -F";
    case "folders":
      return " -a '(__fish_complete_directories)'";
    case "nothing":
      return "";
  }
}

function quoteFish(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
