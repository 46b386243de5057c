#!/usr/bin/env node
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 12)) {
  process.stderr.write(
    `modelship needs Node.js 20.12 or newer; this is ${process.versions.node}.\nInstall a current one: https://nodejs.org/\n`,
  );
  process.exitCode = 2;
} else {
  const { main } = await import("../dist/cli.js");
  await main(process.argv.slice(2));
}
