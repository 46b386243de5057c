/** What a builder has to know of a Dockerfile beforehand; the builder itself does the real reading. */

/** The instructions, continued lines joined, comments left out. */
function instructions(dockerfile: string): string[] {
  const out: string[] = [];
  let open = "";
  for (const line of dockerfile.split(/\r?\n/)) {
    if (/^\s*#/.test(line)) continue;
    if (open === "" && line.trim() === "") continue;
    const continued = /\\\s*$/.test(line);
    open += continued ? `${line.replace(/\\\s*$/, "")} ` : line;
    if (!continued) {
      out.push(open.trim());
      open = "";
    }
  }
  if (open !== "") out.push(open.trim());
  return out;
}

/** Whether some step mounts a cache or a secret, which Docker's classic builder cannot. */
export function hasRunMounts(dockerfile: string): boolean {
  return instructions(dockerfile).some((line) => /^RUN\s+(--\S+\s+)*--mount[=\s]/i.test(line));
}

/** The images that a build starts from or copies from, with ARGs filled in; not the names of its own stages. */
export function baseImages(dockerfile: string, buildArgs: Readonly<Record<string, string>>): string[] {
  const stages = new Set<string>();
  const values = new Map<string, string>();
  const images = new Set<string>();
  const add = (text: string) => {
    const image = text.replace(/\$\{?(\w+)(?::?-([^}]*))?\}?/g, (_all, name: string, fallback?: string) => {
      return buildArgs[name] ?? values.get(name) ?? fallback ?? "";
    });
    if (image !== "" && image !== "scratch" && !stages.has(image.toLowerCase()) && !/^\d+$/.test(image))
      images.add(image);
  };

  for (const line of instructions(dockerfile)) {
    const arg = /^ARG\s+(\w+)(?:=(?:"([^"]*)"|'([^']*)'|(\S*)))?/i.exec(line);
    if (arg?.[1] && stages.size === 0) values.set(arg[1], arg[2] ?? arg[3] ?? arg[4] ?? "");
    const from = /^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/i.exec(line);
    if (from?.[1]) {
      add(from[1]);
      stages.add((from[2] ?? "").toLowerCase());
    }
    const copied = /^(?:COPY|RUN)\s.*?--(?:from=|mount=\S*?\bfrom=)([^\s,]+)/i.exec(line);
    if (copied?.[1]) add(copied[1]);
  }
  return [...images];
}

/** The registry that an image comes from: `docker.io` where its name has none. */
export function registryOf(image: string): string {
  const slash = image.indexOf("/");
  const first = slash < 0 ? "" : image.slice(0, slash);
  return /[.:]/.test(first) || first === "localhost" ? first : "docker.io";
}
