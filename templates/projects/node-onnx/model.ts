/** Tells from a chemical analysis which of three cultivars a wine was made of. */
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { z } from "zod";

const amount = z.number().min(0);

export const Input = z.object({
  alcohol: amount.max(100).describe("percent by volume"),
  malic_acid: amount,
  ash: amount,
  alcalinity_of_ash: amount,
  magnesium: amount,
  total_phenols: amount,
  flavanoids: amount,
  nonflavanoid_phenols: amount,
  proanthocyanins: amount,
  color_intensity: amount,
  hue: amount,
  od280_od315: amount.describe("OD280/OD315 of the diluted wine"),
  proline: amount,
});

export const Output = z.object({
  cultivar: z.int().min(0).max(2).describe("the most likely cultivar"),
  probabilities: z.array(z.number()).describe("one for each cultivar from 0 to 2"),
});

export type Input = z.infer<typeof Input>;
export type Output = z.infer<typeof Output>;

/** The columns in the order that the model was trained on. */
const columns = Object.keys(Input.shape) as (keyof Input)[];

export class Model {
  session?: InferenceSession;

  async load(files: string): Promise<void> {
    // One thread is the fastest for a small model; a large one may want as many as there are cores.
    this.session = await InferenceSession.create(join(files, "wine.onnx"), { intraOpNumThreads: 1 });
  }

  /** One row or more, of one request or of many: the service puts together what waits. */
  async predict(rows: Input[]): Promise<Output[]> {
    if (!this.session) throw new Error("load comes first");
    const features = Float32Array.from(rows.flatMap((row) => columns.map((column) => row[column])));
    const results = await this.session.run(
      { features: new Tensor("float32", features, [rows.length, columns.length]) },
      ["probabilities"],
    );
    const all = results.probabilities?.data as Float32Array;
    const width = all.length / rows.length;
    return rows.map((_, row) => {
      const probabilities = [...all.subarray(row * width, (row + 1) * width)];
      return { cultivar: probabilities.indexOf(Math.max(...probabilities)), probabilities };
    });
  }
}
