/** Names as identifiers, in lower case with underscores: valid and free in Python, in TypeScript and as a field of a pydantic model. */

const python =
  "and as assert async await break case class continue def del elif else except exec finally for from global if import in is lambda match nonlocal not or pass print raise return try type while with yield";
const typescript =
  "abstract any arguments bigint boolean catch const constructor debugger declare default delete do enum eval export extends false function get implements instanceof interface let module namespace never new null number of package private protected public readonly require set static string super switch symbol this throw true typeof undefined unique unknown using var void";
/** What annotations and bodies of generated code use by these names. */
const builtins =
  "self cls int float str bool bytes list dict tuple set frozenset object none len range zip map sum min max abs round sorted id input open all iter next np numpy pd pandas torch tf keras json files path rows row model";
/** Attributes of a pydantic model. */
const pydantic =
  "construct copy dict fields json parse_file parse_obj parse_raw schema schema_json validate update_forward_refs from_orm";
const taken = new Set([python, typescript, builtins, pydantic].flatMap((words) => words.split(" ")));

const longest = 60;

/** A name as the file spells it, and as code may spell it. */
export interface ModelColumn {
  name: string;
  identifier: string;
}

/** One for each name, in order, all different. `fallback` is for a name that has no usable character: `input`, `column`. */
export function identifiersFor(names: readonly string[], fallback: string): string[] {
  const given = new Set<string>();
  return names.map((name, index) => {
    const base = identifierOf(name) ?? `${fallback}_${index}`;
    let candidate = taken.has(base) ? `${base}_` : base;
    for (let again = 2; given.has(candidate); again += 1) candidate = `${base}_${again}`;
    given.add(candidate);
    return candidate;
  });
}

function identifierOf(name: string): string | undefined {
  const words = name
    .slice(0, 10 * longest)
    .normalize("NFKD")
    .replace(/\p{Mark}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .slice(0, longest)
    .replace(/_+$/, "");
  if (words === "") return undefined;
  // Fields that begin with `model_` are pydantic's own.
  return /^(\d|model_)/.test(words) ? `n_${words}` : words;
}
