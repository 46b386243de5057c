/** What a registry asks for in WWW-Authenticate. */
export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  scheme: string;
  parameters: Record<string, string>;
}

/** All challenges of a header: one value may hold several. */
export function parseChallenges(header: string | string[] | undefined): Challenge[] {
  const text = Array.isArray(header) ? header.join(", ") : (header ?? "");
  const challenges: Challenge[] = [];
  // A parameter (name=value, quoted or not), or the name of a scheme.
  const piece = /([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s,"]*)))?/g;
  for (const [, name = "", quoted, plain] of text.matchAll(piece)) {
    const value = quoted?.replace(/\\(.)/g, "$1") ?? plain;
    if (value === undefined) challenges.push({ scheme: name.toLowerCase(), parameters: {} });
    else {
      const challenge = challenges.at(-1);
      if (challenge) challenge.parameters[name.toLowerCase()] = value;
    }
  }
  return challenges;
}
