/** The command line as a completion script has to know it. */
export interface CompletionModel {
  program: string;
  /** Options that every command takes. */
  options: readonly CompletionOption[];
  commands: readonly CompletionCommand[];
}

export interface CompletionCommand {
  name: string;
  summary: string;
  options: readonly CompletionOption[];
  /** What its operands are; all of them are completed alike. */
  operands: Candidates;
  /** Commands of its own (`keys create`): one of them then stands where its operands would. */
  commands: readonly CompletionCommand[];
}

export interface CompletionOption {
  short: string | undefined;
  long: string | undefined;
  summary: string;
  repeats: boolean;
  /** None for a flag; `optional` values have to be attached with `=`. */
  value: { name: string; optional: boolean; candidates: Candidates } | undefined;
}

/** What may stand somewhere. `nothing` is a value that only the user knows. */
export type Candidates =
  | { kind: "words"; words: readonly string[] }
  | { kind: "files" }
  | { kind: "folders" }
  | { kind: "nothing" };

export function optionNames(option: CompletionOption): string[] {
  return [option.short, option.long].filter((name) => name !== undefined);
}

/** What may follow a command's name: one of its own commands, or its operands. */
export function operandsOf({ commands, operands }: CompletionCommand): Candidates {
  return commands.length > 0 ? { kind: "words", words: commands.map(({ name }) => name) } : operands;
}

/** A word of POSIX shells and of fish, whatever it holds. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
