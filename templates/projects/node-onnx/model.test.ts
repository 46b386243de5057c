/** Tests of the model itself: npm test */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { Input, Model, Output } from "./model.ts";

const here = import.meta.dirname;
const example: unknown = JSON.parse(await readFile(join(here, "examples/request.json"), "utf8"));

describe("the model", () => {
  const model = new Model();
  before(() => model.load(join(here, "model")));

  test("knows the wine of the example", async () => {
    const [answer] = await model.predict([Input.parse(example)]);
    const { cultivar, probabilities } = Output.parse(answer);
    assert.equal(cultivar, 2);
    assert.ok(Math.abs(probabilities.reduce((sum, one) => sum + one, 0) - 1) < 1e-5);
  });

  test("answers many wines as it answers each", async () => {
    const one = Input.parse(example);
    const other = { ...one, proline: 1500, alcohol: 14.2 };
    const together = await model.predict([one, other]);
    const apart = [...(await model.predict([one])), ...(await model.predict([other]))];
    // To the precision of a float: a batch may be computed in another order.
    const rounded = (answers: Output[]) => answers.map((answer) => answer.probabilities.map((p) => p.toFixed(5)));
    assert.deepEqual(rounded(together), rounded(apart));
  });
});

const wrong = [{ alcohol: -1 }, { alcohol: 101 }, { hue: "red" }, { proline: null }, { ash: undefined }];
for (const change of wrong) {
  test(`a wine with ${JSON.stringify(change)} is refused`, () => {
    assert.equal(Input.safeParse({ ...(example as object), ...change }).success, false);
  });
}
