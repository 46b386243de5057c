/** A name that only letters, digits and no underscores make: `address line` -> `AddressLine`. Anything may come in. */
export function typeName(text: string): string {
  const words = text.slice(0, 200).match(/[A-Za-z0-9]+/g) ?? [];
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
  return /^[A-Z]/.test(name) ? name.slice(0, 60) : `Type${name.slice(0, 56)}`;
}

/** Gives names out once each. */
export class Names {
  readonly #taken: Set<string>;

  constructor(taken: Iterable<string>) {
    this.#taken = new Set(taken);
  }

  /** The name, or the first of `Name2`, `Name3`, ... that is free. */
  take(wanted: string): string {
    let name = wanted;
    for (let number = 2; this.#taken.has(name); number += 1) name = `${wanted}${number}`;
    this.#taken.add(name);
    return name;
  }
}

/** Every identifier of a program's own text, comments and literals aside: what a new name must not be. */
export function identifiersIn(text: string): Set<string> {
  const aside = /"""[\s\S]*?"""|\/\*[\s\S]*?\*\/|(?:#|\/\/) .*|"(?:[^"\\\n]|\\.)*"/g;
  return new Set(text.replace(aside, " ").match(/[A-Za-z_]\w*/g) ?? []);
}
