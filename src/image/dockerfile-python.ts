import type { DockerfileStage, DockerfileStep } from "./dockerfile-step.js";

/**
 * Python for a base that has none: that of the official image. It is made for Debian 12, whose C library is older than
 * that of Ubuntu 24.04, and Python uses nothing of it that Ubuntu 22.04 lacks. The libraries that its modules load are
 * the base's own, so that its security updates reach them; that they are all there is tried at once.
 */
export function pythonStage(image: string): DockerfileStage {
  return { steps: [{ instruction: `FROM ${image} AS python` }] };
}

const libraries = [
  "ca-certificates",
  "libbz2-1.0",
  "libexpat1",
  "libffi8",
  "liblzma5",
  "libncursesw6",
  "libreadline8",
  "libsqlite3-0",
  "libssl3",
  "libuuid1",
  "tzdata",
  "zlib1g",
];

const modules = "bz2, ctypes, lzma, readline, sqlite3, ssl, uuid, zlib";

export function pythonFrom(folders: readonly string[]): DockerfileStep[] {
  return [
    ...folders.map((folder) => ({ instruction: `COPY --from=python ${folder} ${folder}` })),
    {
      title: "Add Python",
      instruction: [
        "RUN apt-get update",
        `DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ${libraries.join(" ")}`,
        "rm -rf /var/lib/apt/lists/* /var/cache/ldconfig/aux-cache /var/log/apt /var/log/dpkg.log",
        "ldconfig",
        `python3 -c 'import ${modules}'`,
      ].join(" && \\\n    "),
    },
  ];
}
