import {
  byDistribution,
  type DebianPackage,
  LayerContent,
  type SharedLibrary,
  type Spare,
} from "./layer-content.js";

export type PartName = "base" | "system packages" | "Python packages" | "service" | "code" | "model files";

export interface PackageSize {
  name: string;
  version: string | null;
  bytes: number;
}

/** Where the bytes of an image are. */
export interface ImageParts {
  parts: { name: PartName; bytes: number }[];
  /** Python packages, the largest first. */
  packages: PackageSize[];
  /** Debian packages that are not the base's, the largest first. */
  system: DebianPackage[];
  spare: ReadonlyMap<Spare, number>;
  libraries: readonly SharedLibrary[];
  /** The largest files of the code. */
  code: { path: string; bytes: number }[];
  /** Bytes of ONNX graphs among the model files. */
  onnx: number;
}

/** Adds up layers: the base's are as they are, of the others each file counts for what it belongs to. */
export function partsOf(
  layers: readonly LayerContent[],
  { baseLayers, files }: { baseLayers: number; files: string | undefined },
): ImageParts {
  const base = layers.slice(0, baseLayers);
  const own = layers.slice(baseLayers);
  const sum = (contents: readonly LayerContent[], of: (content: LayerContent) => number) =>
    contents.reduce((bytes, content) => bytes + of(content), 0);
  const total = (map: ReadonlyMap<string, number>) =>
    [...map.values()].reduce((one, other) => one + other, 0);

  const model = files?.replace(/^\/app\/?/, "");
  const isModel = (path: string) =>
    model !== undefined && (model === "" || path === model || path.startsWith(`${model}/`));
  const app = own.flatMap((content) => [...content.app].map(([path, bytes]) => ({ path, bytes })));
  const weights = app.filter(({ path }) => isModel(path));
  const code = app.filter(({ path }) => !isModel(path)).sort((one, other) => other.bytes - one.bytes);
  const bytesOf = (entries: readonly { bytes: number }[]) =>
    entries.reduce((all, { bytes }) => all + bytes, 0);

  const all = merged(own);
  const packaged = total(all.packages);
  const service = all.folders.get("opt/modelship") ?? 0;
  const virtualenv = all.folders.get("opt/venv") ?? 0;
  // An image whose layers were put together into one has its base among the other files.
  const others = total(all.folders) - service - virtualenv;
  const together = baseLayers === 0;
  const parts: ImageParts["parts"] = [
    { name: "base", bytes: sum(base, (content) => content.total) + (together ? others : 0) },
    { name: "system packages", bytes: together ? 0 : others },
    { name: "Python packages", bytes: packaged + virtualenv },
    { name: "service", bytes: service },
    { name: "code", bytes: bytesOf(code) },
    { name: "model files", bytes: bytesOf(weights) },
  ];
  return {
    parts,
    packages: byDistribution(all),
    system: together ? [] : newDebian(base, own),
    spare: all.spare,
    libraries: all.libraries,
    code: code.slice(0, 5),
    onnx: bytesOf(weights.filter(({ path }) => path.endsWith(".onnx"))),
  };
}

function merged(layers: readonly LayerContent[]): LayerContent {
  const all = new LayerContent();
  for (const layer of layers) {
    for (const field of ["packages", "folders"] as const)
      for (const [key, bytes] of layer[field]) all[field].set(key, (all[field].get(key) ?? 0) + bytes);
    for (const [key, bytes] of layer.spare) all.spare.set(key, (all.spare.get(key) ?? 0) + bytes);
    for (const [key, owner] of layer.owners) all.owners.set(key, owner);
    for (const [name, version] of layer.versions) all.versions.set(name, version);
    all.libraries.push(...layer.libraries);
  }
  return all;
}

function newDebian(base: readonly LayerContent[], own: readonly LayerContent[]): DebianPackage[] {
  const last = (layers: readonly LayerContent[]) =>
    layers.map(({ debian }) => debian).findLast((packages) => packages !== undefined) ?? [];
  const before = new Set(last(base).map(({ name }) => name));
  return last(own)
    .filter(({ name }) => !before.has(name))
    .sort((one, other) => other.size - one.size);
}
