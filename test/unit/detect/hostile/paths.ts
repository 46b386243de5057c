import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bytes, fixture, type HostileFile } from "./hostile-file.js";

function path(
  name: string,
  make: (folder: string) => string | undefined,
  expected?: HostileFile["expected"],
): HostileFile {
  return { name, make: (folder) => make(folder) ?? folder, ...(expected ? { expected } : {}) };
}

function sparse(
  name: string,
  start: Buffer | string,
  size: number,
  expected?: HostileFile["expected"],
): HostileFile {
  return path(
    name,
    (folder) => {
      writeFileSync(join(folder, "model"), start);
      truncateSync(join(folder, "model"), size);
      return join(folder, "model");
    },
    expected,
  );
}

const gigabytes = 1024 ** 3;

/** What stands at a path that is no regular file, or is one of a size that nobody reads. */
export const paths: HostileFile[] = [
  path(
    "a named pipe that nobody writes to",
    (folder) => {
      execFileSync("mkfifo", [join(folder, "model.onnx")]);
      return join(folder, "model.onnx");
    },
    "error",
  ),
  path(
    "a link to a named pipe",
    (folder) => {
      execFileSync("mkfifo", [join(folder, "pipe")]);
      symlinkSync("pipe", join(folder, "model.pkl"));
      return join(folder, "model.pkl");
    },
    "error",
  ),
  path("a device without an end", () => "/dev/zero", "error"),
  path("a device of random bytes", () => "/dev/urandom", "error"),
  path("a device of nothing", () => "/dev/null", "error"),
  path(
    "a link to a device",
    (folder) => {
      symlinkSync("/dev/zero", join(folder, "model.pkl"));
      return join(folder, "model.pkl");
    },
    "error",
  ),
  path(
    "links in a circle",
    (folder) => {
      symlinkSync("b", join(folder, "a"));
      symlinkSync("a", join(folder, "b"));
      return join(folder, "a");
    },
    "error",
  ),
  path(
    "a link to nothing",
    (folder) => {
      symlinkSync("nothing", join(folder, "a"));
      return join(folder, "a");
    },
    "error",
  ),
  path("a path that is not there", (folder) => join(folder, "nothing"), "error"),
  path(
    "a path through a file",
    (folder) => {
      writeFileSync(join(folder, "file"), "x");
      return join(folder, "file", "model");
    },
    "error",
  ),
  path("a path of 10,000 characters", (folder) => join(folder, "x".repeat(10_000)), "error"),
  path("a path with a zero byte", (folder) => `${folder}/a\0b`, "error"),
  bytes("an empty file", "", "unknown"),
  bytes("a file of one byte", "\x80", "unknown"),
  bytes("a file of line ends", "\n".repeat(100_000), "unknown"),
  bytes("a file of opening brackets", () => "(".repeat(10_000_000), "unknown"),
  bytes("a file of braces", () => "{".repeat(10_000_000), "unknown"),
  bytes(
    "a file of random bytes",
    fixture("sklearn/forest-4.pkl").map((byte, index) => (byte * 31 + index * 17) & 255) as Buffer,
  ),
  bytes("a script", "#!/bin/sh\ntouch canary\n", "unknown"),
  sparse("a hole of 8 GB", "", 8 * gigabytes, "unknown"),
  sparse(
    "a hole of 8 GB after a pickle's head",
    Buffer.from("\x80\x04\x95", "latin1"),
    8 * gigabytes,
    "error",
  ),
  sparse(
    "a hole of 8 GB after a text that is a pickle's value",
    Buffer.from("\x80\x04\x8e\x00\x00\x00\x00\x01\x00\x00\x00", "latin1"),
    8 * gigabytes,
    "error",
  ),
  sparse("a hole of 8 GB after a zip head", Buffer.from("PK\x03\x04", "latin1"), 8 * gigabytes, "error"),
  sparse(
    "a hole of 8 GB after gzip's head",
    Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]),
    8 * gigabytes,
    "unknown",
  ),
  sparse("a hole of 8 GB after XGBoost's JSON", '{"learner":{"x":"', 8 * gigabytes),
  sparse(
    "a hole of 8 GB after XGBoost's UBJ",
    Buffer.from("{L\0\0\0\0\0\0\0\x07learner{", "latin1"),
    8 * gigabytes,
    "error",
  ),
  sparse("a hole of 8 GB after LightGBM's head", "tree\nversion=v4\n", 8 * gigabytes, "error"),
  sparse("a hole of 8 GB after CatBoost's head", "CBM1\0\0\0\0", 8 * gigabytes, "error"),
  sparse(
    "a hole of 8 GB after a head that may be ONNX",
    Buffer.from("\x08\x08\x12\x07pytorch\x3a\xff\xff\xff\xff\x1d", "latin1"),
    8 * gigabytes,
  ),
  path(
    "a folder with a link to itself",
    (folder) => {
      symlinkSync(".", join(folder, "again"));
      return undefined;
    },
    "unknown",
  ),
  path(
    "a folder of folders, 50 deep",
    (folder) => {
      mkdirSync(join(folder, ...Array(50).fill("d")), { recursive: true });
      return undefined;
    },
    "unknown",
  ),
  path("a folder of 5,000 files", (folder) => {
    for (let index = 0; index < 5000; index += 1) writeFileSync(join(folder, `${index}.pkl`), "x");
    return undefined;
  }),
  path(
    "a folder of pipes, links and devices",
    (folder) => {
      execFileSync("mkfifo", [join(folder, "a.onnx")]);
      symlinkSync("/dev/zero", join(folder, "b.pkl"));
      symlinkSync("c.pkl", join(folder, "c.pkl"));
      symlinkSync("nothing", join(folder, "d.pkl"));
      return undefined;
    },
    "unknown",
  ),
  path("a folder of 300 pickles that take long", (folder) => {
    const slow = Buffer.concat([
      Buffer.from("\x80\x02", "latin1"),
      Buffer.from("]0".repeat(200_000)),
      Buffer.from("N."),
    ]);
    for (let index = 0; index < 300; index += 1) writeFileSync(join(folder, `${index}.pkl`), slow);
    return undefined;
  }),
];
