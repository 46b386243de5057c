// The parts of scripts/refresh-compatibility.mjs that only read text, for its tests: what public pages and package metadata say.

/** `12.8.90` -> `12.8`. */
export function minor(version) {
  return version.split(".").slice(0, 2).join(".");
}

export function compareVersions(one, other) {
  const [a, b] = [one, other].map((text) => text.split(".").map((part) => Number.parseInt(part, 10) || 0));
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The files of an index's page, by version. */
export function releasesOf(files) {
  const releases = {};
  for (const file of files) {
    const version = /^[\w.]+?-(\d[^-]*)-/.exec(file.filename)?.[1];
    if (!version) continue;
    releases[version] ??= [];
    releases[version].push(file);
  }
  return releases;
}

/** The newest final release of each minor version from `from` on, oldest first. */
export function newestOfEachMinor(releases, from) {
  const newest = new Map();
  for (const [version, files] of Object.entries(releases)) {
    if (!/^\d+(\.\d+)+$/.test(version) || compareVersions(version, from) < 0) continue;
    if (!files.some((file) => isLinuxWheel(file.filename) && !file.yanked)) continue;
    const before = newest.get(minor(version));
    if (before === undefined || compareVersions(version, before) > 0) newest.set(minor(version), version);
  }
  return [...newest.values()].sort(compareVersions);
}

/** The files of this release and of the earlier patches of its minor version, newest first. */
export function patchesOf(releases, version) {
  return Object.keys(releases)
    .filter((one) => /^\d+(\.\d+)+$/.test(one) && minor(one) === minor(version))
    .sort((one, other) => compareVersions(other, one))
    .map((one) => releases[one]);
}

export function isLinuxWheel(filename) {
  return /\.whl$/.test(filename) && /(manylinux|linux_)/.test(filename);
}

/** Pythons and platforms that a release has wheels for. */
export function wheelsOf(files) {
  const linux = files.map((file) => file.filename).filter(isLinuxWheel);
  const pythons = new Set(
    linux.flatMap((name) => [...name.matchAll(/-cp3(\d+)-/g)].map((found) => `3.${found[1]}`)),
  );
  const platforms = [
    ["linux/amd64", /x86_64/],
    ["linux/arm64", /aarch64/],
  ].filter(([, pattern]) => linux.some((name) => pattern.test(name)));
  return { python: [...pythons].sort(compareVersions), platforms: platforms.map(([platform]) => platform) };
}

/**
 * CUDA and cuDNN that a wheel asks for, out of its Requires-Dist lines: pins of NVIDIA's runtime packages, which have
 * their toolkit's version, or since CUDA 13 one package for the whole toolkit.
 */
export function cudaOf(requires) {
  const found = (pattern) => {
    for (const line of requires) {
      const match = pattern.exec(line);
      if (match) return match[1];
    }
    return undefined;
  };
  const toolkit = found(/^cuda-toolkit(?:\[[^\]]*\])?\s*\(?(?:==|~=|>=)\s*([\d.]+)/);
  const runtime = found(/^nvidia-cuda-runtime(?:-cu\d+)?\s*\(?(?:<[\d.]+,)?(?:==|~=|>=)\s*([\d.]+)/);
  const cudnn = found(/^nvidia-cudnn(?:-cu\d+)?\s*\(?(?:<[\d.]+,)?(?:==|~=|>=)\s*([\d.]+)/);
  const version = toolkit ?? runtime;
  // `~=13.0` is any of the major version.
  const shown = (text) =>
    text && (/\.0$/.test(text) && text.split(".").length === 2 ? text.split(".")[0] : minor(text));
  return { cuda: shown(version), cudnn: shown(cudnn) };
}

export function requiresDist(metadata) {
  return metadata
    .split(/\r?\n\r?\n/)[0]
    .split(/\r?\n/)
    .flatMap((line) => /^Requires-Dist:\s*(.+)$/.exec(line)?.[1] ?? []);
}

/** `Table 3 CUDA Toolkit and Corresponding Driver Versions` of NVIDIA's release notes: the oldest driver of each minor version. */
export function driversOf(page) {
  const text = page
    .replace(/<[^>]+>/g, " ")
    .replace(/&gt;/g, ">")
    .replace(/\s+/g, " ");
  const drivers = {};
  for (const [, version, driver] of text.matchAll(
    /CUDA (\d+\.\d+)(?:\.\d+)? (?:GA|Update \d+)[ |]*>= ?(\d+(?:\.\d+)+)/g,
  )) {
    const before = drivers[version];
    if (before === undefined || compareVersions(driver, before) < 0) drivers[version] = driver;
  }
  return drivers;
}

/** The release matrix in PyTorch's RELEASE.md: the CUDA versions that each minor release is built for. */
export function torchVariantsOf(markdown) {
  const variants = {};
  for (const line of markdown.split("\n")) {
    const cells = line.split("|").map((cell) => cell.trim());
    if (!/^\d+\.\d+$/.test(cells[1] ?? "")) continue;
    const versions = [...line.matchAll(/CUDA (\d+\.\d+)/g)].map((found) => found[1]);
    if (versions.length > 0) variants[cells[1]] = [...new Set(versions)].sort(compareVersions);
  }
  return variants;
}
