import { bytes, fixture, type HostileFile, mutations } from "./hostile-file.js";

/** `{L<8>learner{...`: the start of XGBoost's UBJ, and then this. */
function ubj(content: Buffer | string): Buffer {
  const start = Buffer.concat([Buffer.from("{L", "latin1"), int64(7n), Buffer.from("learner{", "latin1")]);
  return Buffer.concat([start, typeof content === "string" ? Buffer.from(content, "latin1") : content]);
}

function int64(value: bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64BE(BigInt.asIntN(64, value));
  return buffer;
}

function key(name: string): Buffer {
  return Buffer.concat([Buffer.from("L"), int64(BigInt(name.length)), Buffer.from(name)]);
}

const parameters =
  '"learner_model_param":{"num_class":"0","num_feature":"4"},"objective":{"name":"reg:squarederror"}';
const start = '{"learner":{';

function tree(changes: readonly [RegExp | string, string][]): Buffer {
  let text = fixture("lightgbm/iris.txt").toString("latin1");
  for (const [from, to] of changes) text = text.replace(from, () => to);
  return Buffer.from(text, "latin1");
}

function cbm(change: (bytes: Buffer) => void): Buffer {
  const copy = Buffer.from(fixture("catboost/iris.cbm"));
  change(copy);
  return copy;
}

export const boosters: HostileFile[] = [
  ...[
    "xgboost/iris.json",
    "xgboost/iris.ubj",
    "lightgbm/iris.txt",
    "catboost/iris.cbm",
    "catboost/iris.json",
  ].flatMap(mutations),

  bytes("XGBoost with 30 million lists in lists", () => `${start}"x":${"[".repeat(30_000_000)}`, "error"),
  bytes(
    "XGBoost with 1,000 objects on the way to its parameters",
    `${start}${'"gradient_booster":{"model":{'.repeat(1000)}`,
    "error",
  ),
  bytes("XGBoost with a text without an end", () => `${start}"x":"${"a".repeat(20_000_000)}`, "error"),
  bytes(
    "XGBoost with a name of 20 MB",
    () => `${start}"feature_names":["${"a".repeat(20_000_000)}"],${parameters}}}`,
    "error",
  ),
  bytes(
    "XGBoost with 5 million names",
    () => `${start}"feature_names":[${'"a",'.repeat(5_000_000)}"a"],${parameters}}}`,
    "error",
  ),
  bytes("XGBoost with a key of 1 MB", `${start}"${"k".repeat(1_000_000)}":1}}`, "error"),
  bytes(
    "XGBoost with a million keys",
    () =>
      `${start}${Array.from({ length: 1_000_000 }, (_, index) => `"k${index}":0`).join(",")},${parameters}}}`,
  ),
  bytes(
    "XGBoost with 10^300 features",
    `${start}"learner_model_param":{"num_class":"1e300","num_feature":"1e300"},"objective":{"name":"multi:softprob"}}}`,
  ),
  bytes(
    "XGBoost with 10^14 classes",
    `${start}"learner_model_param":{"num_class":"99999999999999","num_feature":"99999999999999"},"objective":{"name":"multi:softprob"}}}`,
  ),
  bytes(
    "XGBoost with parameters that are no texts",
    `${start}"learner_model_param":[],"objective":{"name":{"name":1}}}}`,
  ),
  bytes(
    "XGBoost with the keys of every object",
    `${start}"__proto__":{"a":1},"attributes":{"__proto__":{"scikit_learn":"x"}},${parameters}}}`,
  ),
  bytes("XGBoost with names that are numbers", `${start}"feature_names":[1,2,null,{}],${parameters}}}`),
  bytes("XGBoost with brackets of two kinds", `${start}"x":[}],${parameters}}}`),
  bytes("JSON that only mentions a learner", '{"name": "my \\"learner\\"", "x": [1, 2', "unknown"),
  bytes("JSON that is a list with learner", '[{"learner":{}}]', "unknown"),
  bytes("JSON without XGBoost's parameters", '{"learner":{"a":1}}', "unknown"),

  bytes(
    "UBJ with a list of 2^62 numbers",
    ubj(Buffer.concat([key("x"), Buffer.from("[$l#L"), int64(2n ** 62n)])),
    "error",
  ),
  bytes(
    "UBJ with a list of 2^62 nothings",
    ubj(Buffer.concat([key("x"), Buffer.from("[$Z#L"), int64(2n ** 62n), Buffer.from("}}")])),
  ),
  bytes(
    "UBJ with a list of 10^15 nothings to keep",
    ubj(Buffer.concat([key("feature_names"), Buffer.from("[$Z#L"), int64(10n ** 15n), Buffer.from("}}")])),
    "error",
  ),
  bytes(
    "UBJ with an object of 10^15 nothings",
    ubj(Buffer.concat([key("x"), Buffer.from("{$Z#L"), int64(10n ** 15n)])),
    "error",
  ),
  bytes("UBJ with a negative length", ubj(Buffer.concat([key("x"), Buffer.from("SL"), int64(-1n)])), "error"),
  bytes(
    "UBJ with a text of 2 GB",
    ubj(Buffer.concat([key("x"), Buffer.from("SL"), int64(2n ** 31n), Buffer.from("abc")])),
    "error",
  ),
  bytes(
    "UBJ with a key of 2 GB",
    ubj(Buffer.concat([Buffer.from("L"), int64(2n ** 31n), Buffer.from("abc")])),
    "error",
  ),
  bytes(
    "UBJ with lists in lists, 5 million deep",
    () => ubj(Buffer.concat([key("x"), Buffer.alloc(5_000_000, "[")])),
    "error",
  ),
  bytes("UBJ with 5 million nothings", () =>
    ubj(Buffer.concat([key("x"), Buffer.from("["), Buffer.alloc(5_000_000, "N"), Buffer.from("]")])),
  ),
  bytes("UBJ with an unknown type", ubj(Buffer.concat([key("x"), Buffer.from("?")])), "error"),
  bytes("UBJ with a type and no count", ubj(Buffer.concat([key("x"), Buffer.from("[$l[")])), "error"),
  bytes(
    "UBJ with a list of typed lists",
    ubj(Buffer.concat([key("x"), Buffer.from("[$[#L"), int64(10n ** 12n)])),
    "error",
  ),

  bytes(
    "LightGBM whose trees go on for ever",
    tree([[/tree_sizes=.*/, "tree_sizes=9007199254740991"]]),
    "error",
  ),
  bytes(
    "LightGBM whose trees have a negative length",
    tree([[/tree_sizes=.*/, "tree_sizes=-5 10"]]),
    "error",
  ),
  bytes("LightGBM whose trees have no length", tree([[/tree_sizes=.*/, "tree_sizes=a b"]]), "error"),
  bytes("LightGBM whose first tree is shorter than stated", tree([["Tree=0", "T=0"]]), "error"),
  bytes("LightGBM with 10^300 features", tree([[/max_feature_idx=.*/, "max_feature_idx=1e300"]]), "error"),
  bytes("LightGBM without features", tree([[/max_feature_idx=.*\n/, ""]]), "error"),
  bytes("LightGBM with 10^15 classes", tree([[/num_class=.*/, "num_class=999999999999999"]])),
  bytes(
    "LightGBM with a line of 20 MB",
    () => tree([[/feature_names=.*/, `feature_names=${"a".repeat(20_000_000)}`]]),
    "error",
  ),
  bytes("LightGBM with a million lines", () => `tree\nversion=v4\n${"a=b\n".repeat(1_000_000)}`, "error"),
  bytes("LightGBM that ends after its version", "tree\nversion=v4\n", "error"),
  bytes(
    "LightGBM with line ends of Windows",
    Buffer.from(fixture("lightgbm/iris.txt").toString("latin1").replaceAll("\n", "\r\n"), "latin1"),
  ),
  bytes("a text that begins with tree", "tree\nis a plant", "unknown"),

  bytes(
    "CatBoost that claims 4 GB",
    cbm((copy) => copy.writeUInt32LE(0xffffffff, 4)),
    "error",
  ),
  bytes(
    "CatBoost whose root is beyond the end",
    cbm((copy) => copy.writeUInt32LE(0x7fffffff, 8)),
    "error",
  ),
  bytes(
    "CatBoost whose root is itself",
    cbm((copy) => copy.writeUInt32LE(0, 8)),
    "error",
  ),
  bytes(
    "CatBoost of ones",
    cbm((copy) => copy.fill(0xff, 8)),
    "error",
  ),
  bytes(
    "CatBoost of zeros",
    cbm((copy) => copy.fill(0, 8)),
    "error",
  ),
  bytes(
    "CatBoost of small offsets that lead in circles",
    cbm((copy) => copy.fill(4, 12)),
  ),
  bytes("CatBoost's head alone", Buffer.from("CBM1\x00\x00\x00\x00", "latin1")),
  bytes(
    "CatBoost's JSON with a million features",
    () =>
      `{"features_info":{"float_features":[${'{"feature_id":"a","flat_feature_index":1},'.repeat(300_000)}{}]},"scale_and_bias":[1,[0]]}`,
  ),
  bytes(
    "CatBoost's JSON with features that are none",
    '{"features_info":{"float_features":[1,[],{"flat_feature_index":1e300},{"feature_id":{}}]},"scale_and_bias":[1,[0]]}',
  ),
];
