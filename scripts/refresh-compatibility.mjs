#!/usr/bin/env node
// Brings templates/data/compatibility.json up to date from public pages: `node scripts/refresh-compatibility.mjs`.
// What a page says replaces what stood there; a page that is out of reach leaves everything as it was, and is named.
// Facts that no page states in a form that can be read (tags of nvidia/cuda, compute capabilities) are kept.
import { readFileSync, writeFileSync } from "node:fs";
import {
  compareVersions,
  cudaOf,
  driversOf,
  isLinuxWheel,
  minor,
  newestOfEachMinor,
  patchesOf,
  releasesOf,
  requiresDist,
  torchVariantsOf,
  wheelsOf,
} from "./compatibility.mjs";

const file = new URL("../templates/data/compatibility.json", import.meta.url);
const data = JSON.parse(readFileSync(file, "utf8"));
const today = new Date().toISOString().slice(0, 10);
const failed = [];

/** The package index's own interface for programs: https://peps.python.org/pep-0691 */
const pypi = { Accept: "application/vnd.pypi.simple.v1+json" };

async function get(url, headers = {}) {
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(60_000) });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer;
}

/** Of the newest patch whose metadata is to be had: an index need not serve it (PEP 658). */
async function requirementsOf(patches, page) {
  for (const files of patches) {
    const wheel = files.find((one) => isLinuxWheel(one.filename) && /x86_64/.test(one.filename));
    if (!wheel) continue;
    const address = new URL(wheel.url, page); // a mirror may give it relative to its page
    const answer = await fetch(`${address}.metadata`, { signal: AbortSignal.timeout(60_000) });
    if (answer.ok) return requiresDist(await answer.text());
    console.log(`       no metadata of ${wheel.filename}`);
  }
  return [];
}

async function from(name, work) {
  const source = data.sources[name];
  try {
    await work(source.url);
    source.read = today;
    console.log(`read   ${name}`);
  } catch (error) {
    failed.push(name);
    console.log(`kept   ${name}: ${source.url}: ${error.cause?.message ?? error.message}`);
  }
}

await from("cuda-drivers", async (url) => {
  const drivers = driversOf(await (await get(url)).text());
  if (Object.keys(drivers).length < 5) throw new Error("its table was not found");
  for (const [version, driver] of Object.entries(drivers))
    if (data.cuda[version]) data.cuda[version].driver = driver;
    else if (compareVersions(version, "11.8") >= 0)
      console.log(`new    CUDA ${version} (driver ${driver}): add its image by hand`);
});

await from("torch-variants", async (url) => {
  const variants = torchVariantsOf(await (await get(url)).text());
  if (Object.keys(variants).length < 5) throw new Error("its table was not found");
  for (const release of data.packages.torch.releases)
    if (variants[minor(release.version)]) release.variants = variants[minor(release.version)];
});

for (const [name, entry] of Object.entries(data.packages)) {
  if (!entry.releases) continue;
  await from(`pypi-${name}`, async (url) => {
    const releases = releasesOf((await (await get(url, pypi)).json()).files);
    for (const version of newestOfEachMinor(releases, entry.from)) {
      const files = releases[version];
      const facts = {
        ...wheelsOf(files),
        ...cudaOf(await requirementsOf(patchesOf(releases, version), url)),
      };
      const at = entry.releases.findIndex((one) => minor(one.version) === minor(version));
      const before = at < 0 ? {} : entry.releases[at];
      const known = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
      const release = { ...before, version, ...known };
      if (name === "torch" && !release.variants) release.variants = [release.cuda].filter(Boolean);
      if (at < 0) entry.releases.push(release);
      else entry.releases[at] = release;
    }
    entry.releases.sort((one, other) => compareVersions(one.version, other.version));
  });
}

if (failed.length < Object.keys(data.sources).length) data.updated = today;
writeFileSync(file, `${format(data)}\n`);
console.log(`wrote  ${file.pathname}`);

/** One line for each release: that is how people compare them. */
function format(value) {
  const lines = JSON.stringify(value, null, 2).replace(/\[[^[\]{}]*\]/g, (list) =>
    list
      .replace(/\s*\n\s*/g, " ")
      .replace("[ ", "[")
      .replace(" ]", "]"),
  );
  return lines.replace(/\{[^{}]*\}/g, (text) => {
    const flat = text.replace(/\s*\n\s*/g, " ");
    return flat.length <= 330 ? flat : text;
  });
}
