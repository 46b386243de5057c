import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { identifiersFor } from "../../../src/scaffold/identifiers.js";
import { hostileNames } from "../../setup/hostile-names.js";

test("names become readable identifiers", () => {
  const names = ["sepal length (cm)", "Größe", "od280/od315", "input_ids", "x", "dense/kernel:0"];
  expect(identifiersFor(names, "input")).toEqual([
    "sepal_length_cm",
    "gro_e",
    "od280_od315",
    "input_ids",
    "x",
    "dense_kernel_0",
  ]);
});

test("names that end up alike are told apart", () => {
  expect(identifiersFor(["a b", "a_b", "a-b", "a_b_2"], "input")).toEqual([
    "a_b",
    "a_b_2",
    "a_b_3",
    "a_b_2_2",
  ]);
});

test("a name without a usable character is numbered", () => {
  expect(identifiersFor(["", "模型", "\u0000"], "column")).toEqual(["column_0", "column_1", "column_2"]);
});

test.each(["class", "None", "float", "function", "rows", "self", "schema", "json"])(
  "%s is not taken",
  (name) => {
    expect(identifiersFor([name], "input")).toEqual([`${name.toLowerCase()}_`]);
  },
);

test("a field of pydantic's own is not taken, nor a digit at the front", () => {
  expect(identifiersFor(["model_config", "1st"], "input")).toEqual(["n_model_config", "n_1st"]);
});

test("whatever the names, identifiers are valid, short and all different", () => {
  const found = identifiersFor([...hostileNames, ...hostileNames], "input");
  expect(new Set(found).size).toBe(found.length);
  for (const name of found) expect(name).toMatch(/^[a-z][a-z0-9_]{0,63}$/);
  const program =
    "import keyword, sys; print([w for w in sys.argv[1:] if keyword.iskeyword(w) or keyword.issoftkeyword(w)])";
  expect(execFileSync("python3", ["-c", program, ...found], { encoding: "utf8" }).trim()).toBe("[]");
});
