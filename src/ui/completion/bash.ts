import {
  type Candidates,
  type CompletionCommand,
  type CompletionModel,
  type CompletionOption,
  operandsOf,
  optionNames,
  quote,
} from "./model.js";

/** For bash 3.2 and newer, with or without the bash-completion package. */
export function bashScript(model: CompletionModel): string {
  const name = `_${model.program}`;
  const commands = withOwn(model.commands);
  const values = [
    ...valueCases("*", model.options),
    ...commands.flatMap((command) => valueCases(command.path, command.options)),
  ];
  const takesValue = [...model.options, ...commands.flatMap((command) => command.options)]
    .filter((option) => option.value && !option.value.optional)
    .flatMap(optionNames)
    .map((flag) => `*:${flag}`);
  const globals = optionWords(model.options);
  return `# bash completion for ${model.program}. Load it with: source <(${model.program} completion bash)
${name}_words() {
  local IFS=$' \\t\\n'
  COMPREPLY=($(compgen -W "$1" -- "$cur"))
}

${name}_paths() {
  local IFS=$'\\n' prefix=
  if [[ $cur == @* ]]; then
    prefix=@
    cur=\${cur#@}
  fi
  COMPREPLY=($(compgen "$1" -P "$prefix" -- "$cur"))
  compopt -o filenames 2>/dev/null
}

${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= i=1
  COMPREPLY=()
  # bash cuts --option=value into three words.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = && $COMP_CWORD -gt 1 ]]; then
    prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  while [[ $i -lt $COMP_CWORD ]]; do
    case $command:\${COMP_WORDS[i]} in
      *:--)
        ${name}_paths -f
        return
        ;;
      ${patterns([...new Set(takesValue)])})
        [[ \${COMP_WORDS[i+1]} == = ]] || i=$((i + 1))
        ;;
      ${patterns(commands.map((command) => `${command.parent}:${command.name}`))})
        command=\${command:+$command/}\${COMP_WORDS[i]}
        ;;
    esac
    i=$((i + 1))
  done
  case $command:$prev in
${values.join("\n")}
  esac
  case $command:$cur in
    :-*) ${name}_words ${quote(globals)} ;;
    :*) ${name}_words ${quote(model.commands.map((command) => command.name).join(" "))} ;;
${commands
  .map(
    (
      command,
    ) => `    ${command.path}:-*) ${name}_words ${quote(`${optionWords(command.options)} ${globals}`)} ;;
    ${command.path}:*) ${complete(name, operandsOf(command))} ;;`,
  )
  .join("\n")}
  esac
}

complete -F ${name} ${model.program}
`;

  function valueCases(command: string, options: readonly CompletionOption[]): string[] {
    return options.flatMap((option) => {
      if (!option.value) return [];
      const flags = optionNames(option).map((flag) => `${command}:${flag}`);
      const answer = `${complete(name, option.value.candidates)}; return`;
      // A value that may be left out is one only when it is attached.
      const attached = `if [[ \${COMP_WORDS[COMP_CWORD]} == = || \${COMP_WORDS[COMP_CWORD-1]} == = ]]`;
      return [
        `    ${flags.join("|")}) ${option.value.optional ? `${attached}; then ${answer}; fi` : answer} ;;`,
      ];
    });
  }
}

interface PlacedCommand extends CompletionCommand {
  /** `keys/create`; `parent` is what comes before the name. */
  path: string;
  parent: string;
}

function withOwn(commands: readonly CompletionCommand[], parent = ""): PlacedCommand[] {
  return commands.flatMap((command) => {
    const path = parent === "" ? command.name : `${parent}/${command.name}`;
    return [{ ...command, path, parent }, ...withOwn(command.commands, path)];
  });
}

function optionWords(options: readonly CompletionOption[]): string {
  return options.flatMap(optionNames).join(" ");
}

function patterns(words: readonly string[]): string {
  return words.join("|");
}

function complete(name: string, candidates: Candidates): string {
  switch (candidates.kind) {
    case "words":
      return `${name}_words ${quote(candidates.words.join(" "))}`;
    case "files":
      return `${name}_paths -f`;
    case "folders":
      return `${name}_paths -d`;
    case "nothing":
      return ":";
  }
}
