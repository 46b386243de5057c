/** What the contract is asked of, as templates/service/python/tests/contract/project/model.py has it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** JSON Schema itself: this project needs no package. */
export const Input = {
  type: "object",
  required: ["point"],
  properties: {
    point: {
      type: "array",
      minItems: 3,
      maxItems: 3,
      items: { type: "number", minimum: -1000, maximum: 1000 },
    },
    scale: { type: "number", default: 1 },
    name: { type: "string", maxLength: 100, default: "" },
    wait: { type: "number", minimum: 0, maximum: 10, default: 0 },
    fault: { enum: ["none", "raise", "nan"], default: "none" },
  },
};

export const Output = {
  type: "object",
  required: ["total", "doubled", "greeting"],
  properties: {
    total: { type: "number" },
    doubled: { type: "array", minItems: 3, maxItems: 3, items: { type: "number" } },
    greeting: { type: "string" },
  },
};

export class Model {
  async load(files) {
    this.word = (await readFile(join(files, "greeting.txt"), "utf8")).trim();
  }

  async predict(rows) {
    const answers = [];
    for (const row of rows) answers.push(await this.answer(row));
    return answers;
  }

  async answer({ point, scale, name, wait, fault }) {
    if (wait > 0) await sleep(wait * 1000);
    if (fault === "raise") throw new Error("secret of the model");
    const sum = point.reduce((total, one) => total + one, 0);
    return {
      total: fault === "nan" ? Number.NaN : scale * sum,
      doubled: point.map((one) => 2 * one),
      greeting: `${this.word} ${name}`,
    };
  }
}

export class Counter {
  static input = {
    title: "Count",
    type: "object",
    required: ["up_to"],
    properties: {
      up_to: { type: "integer", minimum: 1, maximum: 1_000_000 },
      pause: { type: "number", minimum: 0, maximum: 10, default: 0 },
      fail_at: { type: "integer", default: -1 },
    },
  };
  static output = {
    title: "Number",
    type: "object",
    required: ["number"],
    properties: { number: { type: "integer" } },
  };

  load() {}

  async *predict({ up_to, pause, fail_at }) {
    for (let number = 0; number < up_to; number += 1) {
      if (number === fail_at) throw new Error("secret of the model");
      yield { number };
      if (pause > 0) await sleep(pause * 1000);
    }
  }
}
