import { normalisedName, requirementLines } from "../attest/python-packages.js";
import { pinnedVersion } from "./versions.js";

/** A package that the project asks for. */
export interface Requirement {
  /** As package indexes normalise it: lower case, hyphens. */
  name: string;
  extras: readonly string[];
  /** `>=2.5,<3`; empty where any version will do. */
  specifier: string;
  /** Of one that is pinned: `2.8.0`, `2.8.0+cpu`. */
  version?: string;
  /** As it was written, without options: what pip can be given again. */
  text: string;
}

const form =
  /^([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[([^\]]*)\])?\s*\(?([=<>!~][^;)]*|@\s*\S+)?\)?\s*(?:;.*)?$/;

/** The packages that requirements files name, with those that they include; local files and addresses are not read. */
export function readRequired(file: string, texts: ReadonlyMap<string, string>): Requirement[] {
  return requirementLines(file, texts).flatMap((line) => {
    const text = line.replace(/\s--\w[\w-]*[= ]\S+/g, "").trim();
    const [, name, extras = "", specifier = ""] = form.exec(text) ?? [];
    if (name === undefined || /\.(whl|tar\.gz|zip)$/.test(name)) return [];
    const version = pinnedVersion(specifier);
    return [
      {
        name: normalisedName(name),
        extras: extras
          .split(",")
          .map((extra) => normalisedName(extra.trim()))
          .filter((extra) => extra !== ""),
        specifier: specifier.startsWith("@") ? "" : specifier.replace(/\s+/g, ""),
        ...(version !== undefined && { version }),
        text,
      },
    ];
  });
}

/** Whether the files themselves say where packages come from. */
export function namesIndex(file: string, texts: ReadonlyMap<string, string>): boolean {
  return requirementLines(file, texts).some((line) =>
    /^(-i|--index-url|--extra-index-url|--no-index)\b/.test(line),
  );
}

/** The packages of a uv.lock, all of them pinned, and the indexes besides the public one that they come from. */
export function readLocked(text: string): { required: Requirement[]; indexes: string[] } {
  const required: Requirement[] = [];
  const indexes = new Set<string>();
  for (const block of text.split(/^\[\[package\]\]\s*$/m).slice(1)) {
    const name = /^name = "([^"]+)"/m.exec(block)?.[1];
    const version = /^version = "([^"]+)"/m.exec(block)?.[1];
    const registry = /^source = \{ registry = "(https?:\/\/[^"]+)" \}/m.exec(block)?.[1];
    if (name === undefined || version === undefined) continue;
    if (registry && !/^https:\/\/pypi\.org\/simple\/?$/.test(registry)) indexes.add(registry);
    const specifier = `==${version}`;
    required.push({
      name: normalisedName(name),
      extras: [],
      specifier,
      version,
      text: `${name}${specifier}`,
    });
  }
  return { required, indexes: [...indexes].sort() };
}
