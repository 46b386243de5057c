// What is shipped: a tiny project, and weights of random bytes, which compress as badly as real ones do.
import { randomBytes, randomFillSync } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

const code = `from pathlib import Path

from pydantic import BaseModel


class Input(BaseModel):
    value: float


class Output(BaseModel):
    value: float


class Model:
    def load(self, files: Path) -> None:
        self.factor = 2

    def predict(self, rows: list[Input]) -> list[Output]:
        return [Output(value=self.factor * row.value) for row in rows]
`;

export class Project {
  #files = [];

  /** `root` is modelship's project; `context` holds the same files for those who take a folder and a Dockerfile. */
  constructor(folder, name) {
    this.name = name;
    this.root = join(folder, "project");
    this.context = join(folder, "context");
    for (const path of [join(this.root, "model"), join(this.context, "model"), join(this.context, "app")])
      mkdirSync(path, { recursive: true });
    writeFileSync(join(this.root, "modelship.yaml"), `name: ${name}\nversion: 1.0.0\n`);
    this.#code(code);
    writeFileSync(join(this.root, "model/factor.txt"), "2\n");
    linkSync(join(this.root, "model/factor.txt"), join(this.context, "model/factor.txt"));
  }

  get weights() {
    return this.#files;
  }

  /** Written once for each size; `renew` makes them new weights. */
  makeWeights(bytes, files) {
    this.removeWeights();
    for (let index = 0; index < files; index++) {
      const name = `model/weights-${index}.bin`;
      const path = join(this.root, name);
      const part = Math.floor(bytes / files);
      fill(path, part);
      linkSync(path, join(this.context, name)); // the same file twice: no copy, one modification time
      this.#files.push(path);
    }
    this.bytes = Math.floor(bytes / files) * files;
  }

  removeWeights() {
    for (const path of this.#files)
      for (const one of [path, path.replace(this.root, this.context)]) rmSync(one, { force: true });
    this.#files = [];
  }

  /** Other weights and other code than anybody has seen: no cache anywhere has anything of them. */
  renew() {
    for (const path of this.#files) {
      const file = openSync(path, "r+");
      writeSync(file, randomBytes(64), 0, 64, 0);
      closeSync(file);
    }
    this.#code(`${code}\n# ${randomBytes(8).toString("hex")}\n`);
  }

  editCode() {
    for (const path of [join(this.root, "model.py"), join(this.context, "app/model.py")])
      appendFileSync(path, "# one line more\n");
  }

  touchWeights() {
    const now = new Date();
    for (const path of this.#files) utimesSync(path, now, now);
  }

  #code(text) {
    for (const path of [join(this.root, "model.py"), join(this.context, "app/model.py")])
      writeFileSync(path, text);
  }
}

function fill(path, bytes) {
  const file = openSync(path, "w");
  const chunk = Buffer.alloc(8 * 1024 * 1024);
  try {
    for (let left = bytes; left > 0; ) {
      const part = chunk.subarray(0, Math.min(left, chunk.length));
      left -= writeSync(file, randomFillSync(part));
    }
  } finally {
    closeSync(file);
  }
}
