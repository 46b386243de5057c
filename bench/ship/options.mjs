import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const tools = ["floor", "modelship", "docker", "oras", "skopeo", "crane"];

export const usage = `node bench/ship/run.mjs [options]
  --sizes 0.2,2,8        GB of weights; the one nearest to 2 is measured in full, the others show the growth
  --files 1              how many files the weights are
  --engines default,docker-26
  --builders buildkit    or classic, or both: how docker builds
  --tools ${tools.join(",")}
  --rounds 1             the tables have the medians
  --registry NAME        docker-registry (default), go-containerregistry, or HOST:PORT of one that is there
  --null                 the floor and modelship against a registry that throws everything away, too
  --cache DIR            where crane and oras are installed
  --folder DIR           where the weights and the registry are: several times the size of the weights
  --out FILE             what was measured, as JSON`;

export function readOptions(args) {
  const text = (value) => ({ type: "string", default: value });
  const { values } = parseArgs({
    args,
    options: {
      sizes: text("0.2,2,8"),
      files: text("1"),
      engines: text("default,docker-26"),
      builders: text("buildkit"),
      tools: text(tools.join(",")),
      rounds: text("1"),
      registry: text("docker-registry"),
      null: { type: "boolean", default: false },
      cache: text(join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "modelship", "bench-ship")),
      folder: text(tmpdir()),
      out: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  const list = (value) => value.split(",").filter(Boolean);
  const chosen = list(values.tools);
  const unknown = chosen.find((tool) => !tools.includes(tool));
  if (unknown) throw new Error(`No tool "${unknown}": ${tools.join(", ")}.`);
  const options = {
    ...values,
    sizes: list(values.sizes).map(Number),
    files: Number(values.files),
    rounds: Number(values.rounds),
    engines: list(values.engines),
    builders: list(values.builders),
    tools: chosen,
  };
  const numbers = [...options.sizes, options.files, options.rounds];
  if (!numbers.every((number) => number > 0)) throw new Error("Sizes, files and rounds are numbers above 0.");
  return options;
}

/** The size that everything is measured at. */
export const mainSize = (sizes) => [...sizes].sort((a, b) => Math.abs(a - 2) - Math.abs(b - 2))[0];
