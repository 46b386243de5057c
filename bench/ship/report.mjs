// Markdown of what was measured: medians of the rounds, and ratios within the run.
import { head } from "./head.mjs";
import { mainSize } from "./options.mjs";
import { rows } from "./rows.mjs";

const s = (value) => (value < 9.95 ? value.toFixed(2) : value.toFixed(1));
const times = (value) => `${value < 9.95 ? value.toFixed(2) : value.toFixed(1)}x`;
const MB = (bytes) => {
  const value = bytes / 1e6;
  if (value === 0) return "0";
  return value < 1
    ? `${(bytes / 1e3).toFixed(1)} kB`
    : `${value < 10 ? value.toFixed(1) : value.toFixed(0)} MB`;
};

export function report({ options, results, engines, registry, peers, load }) {
  const real = rows(
    results.filter((result) => result.registry !== "null"),
    engines,
  );
  const main = mainSize(options.sizes);
  const at = real.filter((row) => row.size === main);
  return [
    head({ options, engines, registry, peers, load }),
    `### First ship of ${main} GB`,
    firstTable(at, engines),
    "### Shipped again",
    againTable(at),
    options.sizes.length > 1 && "### Growth",
    options.sizes.length > 1 && growthTable(real, options.sizes),
    options.null && "### Against a registry that throws everything away",
    options.null &&
      nullTable(
        rows(
          results.filter((result) => result.registry === "null"),
          engines,
        ),
      ),
    failures(results),
  ]
    .filter(Boolean)
    .join("\n\n");
}

function table(titles, lines) {
  const all = [titles, titles.map((_, index) => (index === 0 ? "---" : "---:")), ...lines];
  return all.map((line) => `| ${line.join(" | ")} |`).join("\n");
}

const title = (row) => `${row.name}${row.engine ? `, ${row.engine.name}` : ""}`;
const inSeconds = (row) => `${s(row.seconds)}${row.range ? ` (${s(row.range[0])}-${s(row.range[1])})` : ""}`;

function firstTable(all, engines) {
  const first = all.filter((row) => row.state === "first");
  const floor = first.find((row) => row.tool === "floor" && !row.failed);
  const docker = engines.map((engine) => ({
    engine,
    // The faster of the builders, where both were measured.
    row: first
      .filter((row) => row.tool === "docker" && row.engine === engine && !row.failed)
      .sort((a, b) => a.seconds - b.seconds)[0],
  }));
  const titles = [
    ...["", "build s", "push s", "together s"],
    ...engines.map((engine) => `${engine.name} takes`),
    ...["push to the floor", "to the registry", "peak memory", "processor s", "engine's s"],
  ];
  const lines = first.map((row) => {
    if (row.failed) return [title(row), "failed", ...titles.slice(2).map(() => "")];
    return [
      title(row),
      row.build === undefined ? "" : s(row.build),
      s(row.push),
      inSeconds(row),
      ...docker.map(({ row: other }) => (other ? times(other.seconds / row.seconds) : "")),
      floor ? times(row.push / floor.push) : "",
      bytes(row),
      MB(row.peak),
      s(row.processor),
      row.engineProcessor === undefined ? "" : s(row.engineProcessor),
    ];
  });
  return table(titles, lines);
}

const bytes = (row) => {
  if (row.bytes === undefined) return row.said === undefined ? "" : `says ${MB(row.said)}`;
  return `${MB(row.bytes)}${row.said === undefined ? "" : `, says ${MB(row.said)}`}`;
};

const states = { nothing: "nothing changed", edit: "a line of code", touch: "touched weights" };

function againTable(all) {
  const names = [...new Set(all.filter((row) => row.tool !== "floor").map(title))];
  const lines = names.map((name) => [
    name,
    ...Object.keys(states).flatMap((state) => {
      const row = all.find((one) => title(one) === name && one.state === state);
      if (!row) return ["", ""];
      return row.failed ? ["failed", ""] : [`${inSeconds(row)}`, bytes(row)];
    }),
  ]);
  return table(["", ...Object.values(states).flatMap((state) => [`${state}, s`, "to the registry"])], lines);
}

function growthTable(all, sizes) {
  const shown = all.filter(
    (row) => row.tool === "floor" || row.tool === "docker" || row.name === "modelship push",
  );
  const names = [...new Set(shown.map(title))];
  const cell = (name, size, state) => {
    const row = shown.find((one) => title(one) === name && one.size === size && one.state === state);
    if (!row) return "";
    if (row.failed) return "failed";
    const rate =
      state === "first" ? `, ${((size * 1000) / row.seconds).toFixed(0)} MB/s, ${MB(row.peak)}` : "";
    return `${s(row.seconds)}${rate}`;
  };
  const columns = sizes.flatMap((size) => [`${size} GB first: s, rate, memory`, `${size} GB again, s`]);
  const lines = names.map((name) => [
    name,
    ...sizes.flatMap((size) => [cell(name, size, "first"), cell(name, size, "nothing")]),
  ]);
  return table(["", ...columns], lines);
}

function nullTable(all) {
  const lines = all.map((row) => {
    if (row.failed) return [title(row), row.size, "failed", "", "", "", ""];
    const floor = all.find((one) => one.tool === "floor" && one.size === row.size && !one.failed);
    return [
      title(row),
      row.size,
      inSeconds(row),
      ((row.size * 1000) / row.seconds).toFixed(0),
      floor ? times(row.seconds / floor.seconds) : "",
      MB(row.peak),
      s(row.processor),
    ];
  });
  return table(["", "GB", "s", "MB/s", "to the floor", "peak memory", "processor s"], lines);
}

function failures(results) {
  const failed = results.filter((result) => result.failed);
  if (failed.length === 0) return "";
  const lines = failed.map(({ name, engine, size, state, registry, failed: why }) => {
    const where = [engine, registry === "null" ? "null registry" : undefined, `${size} GB`, state];
    return `- ${name} (${where.filter(Boolean).join(", ")}): ${why.replaceAll("\n", " / ")}`;
  });
  return `### Failed\n\n${lines.join("\n")}`;
}
