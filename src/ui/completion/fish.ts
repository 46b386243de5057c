import type { Candidates, CompletionModel, CompletionOption } from "./model.js";

/** For fish 3.0 and newer. */
export function fishScript(model: CompletionModel): string {
  const complete = `complete -c ${model.program}`;
  const lines = [
    `# fish completion for ${model.program}. Load it with: ${model.program} completion fish | source`,
    `${complete} -f`,
    ...model.options.map((option) => `${complete}${optionArguments(option)}`),
  ];
  for (const command of model.commands) {
    const seen = `-n ${quoteFish(`__fish_seen_subcommand_from ${command.name}`)}`;
    lines.push(`${complete} -n __fish_use_subcommand -a ${command.name} -d ${quoteFish(command.summary)}`);
    for (const option of command.options) lines.push(`${complete} ${seen}${optionArguments(option)}`);
    const operands = candidateArguments(command.operands);
    if (operands) lines.push(`${complete} ${seen}${operands}`);
  }
  return `${lines.join("\n")}\n`;
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
