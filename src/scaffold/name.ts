const pattern = /^[a-z0-9]+([._-][a-z0-9]+)*$/;
const longest = 63;

/** A project's name becomes part of image references and host names, and is held to what both allow. */
export function isProjectName(name: string): boolean {
  return name.length <= longest && pattern.test(name);
}

export const projectNameRule = `Lower-case letters and digits, with single dots, dashes or underscores between them; at most ${longest} characters.`;

/** The nearest name that is allowed: `My Model!` becomes `my-model`. Nothing when no character can be kept. */
export function nearestProjectName(text: string): string | undefined {
  const name = text
    .normalize("NFKD")
    .replace(/\p{Mark}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/[._-]*-[._-]*/g, "-")
    .replace(/([._])[._]+/g, "$1")
    .slice(0, longest)
    .replace(/^[._-]+|[._-]+$/g, "");
  return name === "" ? undefined : name;
}
