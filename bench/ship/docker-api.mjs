// What `docker build` and `docker push` ask the engine for, where there is no docker command: the classic builder, with
// the context streamed as a tar. `node docker-api.mjs build|push REFERENCE FOLDER`
import { createReadStream, readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import Docker from "dockerode";
import tar from "tar-stream";

const [part, reference, folder] = process.argv.slice(2);
const docker = new Docker({ socketPath: process.env.DOCKER_HOST.slice("unix://".length) });

function files(path) {
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? files(join(path, entry.name)) : [join(path, entry.name)],
  );
}

async function context(pack) {
  for (const file of files(folder)) {
    const { size, mtime } = statSync(file);
    await pipeline(createReadStream(file), pack.entry({ name: relative(folder, file), size, mtime }));
  }
  pack.finalize();
}

/** Both answer 200 first and tell the failure in a later row. */
async function finish(stream) {
  let text = "";
  for await (const chunk of stream) text = (text + chunk).slice(-10_000);
  const failed = text.split("\n").find((row) => row.includes('"errorDetail"'));
  if (failed) throw new Error(failed);
}

if (part === "build") {
  const pack = tar.pack();
  const [stream] = await Promise.all([docker.buildImage(pack, { t: reference }), context(pack)]);
  await finish(stream);
} else await finish(await docker.getImage(reference).push({ authconfig: {} }));
