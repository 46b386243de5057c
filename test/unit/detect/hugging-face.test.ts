import { readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { detectModel } from "../../../src/detect/detect.js";
import { copyOf, detected, fixture } from "./fixture.js";
import { zipBytes } from "./hostile/zip-bytes.js";

function changeJson(path: string, change: (value: Record<string, unknown>) => void): void {
  const value = JSON.parse(readFileSync(path, "utf8"));
  change(value);
  writeFileSync(path, JSON.stringify(value));
}

describe("Hugging Face folder", () => {
  test("text classification: the labels in their order", async () => {
    expect(await detected(fixture("hugging-face/text-classification"))).toMatchObject({
      kind: "hugging-face",
      confidence: "certain",
      summary: "Hugging Face model, BertForSequenceClassification, text-classification, 1.3k parameters",
      library: { name: "transformers", version: expect.stringMatching(/^5\./) },
      architecture: "BertForSequenceClassification",
      task: "text-classification",
      outputs: [{ name: "logits", dtype: "float32", shape: ["batch", 2] }],
      labels: ["negative", "positive"],
      files: ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
      warnings: [],
      details: { modelType: "bert", dtype: "float32", maxLength: 64, weights: "safetensors" },
    });
  });

  test("token classification", async () => {
    expect(await detected(fixture("hugging-face/token-classification"))).toMatchObject({
      task: "token-classification",
      labels: ["O", "B-LOC", "I-LOC"],
      outputs: [{ name: "logits", shape: ["batch", "sequence", 3] }],
    });
  });

  test("image classification: the size that the processor makes, and labels as they are", async () => {
    expect(await detected(fixture("hugging-face/image-classification"))).toMatchObject({
      task: "image-classification",
      inputs: [{ name: "pixel_values", dtype: "float32", shape: ["batch", 3, 32, 32] }],
      labels: ["cat", "dog", "<script>alert(1)</script>"],
      details: { imageHeight: 32, imageWidth: 32, imageChannels: 3 },
    });
  });

  test("text generation: all shards, and the chat template", async () => {
    const model = await detected(fixture("hugging-face/text-generation"));
    expect(model).toMatchObject({
      architecture: "LlamaForCausalLM",
      task: "text-generation",
      warnings: [],
      details: { dtype: "bfloat16", contextLength: 64, shards: 2, parameters: 872 },
    });
    expect(model.files).toEqual(
      expect.arrayContaining([
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "chat_template.jinja",
      ]),
    );
    expect(model.details.chatTemplate).toContain("message['role']");
  });

  test("sentence-transformers: how the embedding is made, from the folders of its modules", async () => {
    const model = await detected(fixture("hugging-face/sentence-transformers"));
    expect(model).toMatchObject({
      library: { name: "sentence-transformers" },
      task: "feature-extraction",
      outputs: [{ name: "sentence_embedding", shape: ["batch", 8] }],
      details: { embeddingDimension: 8, pooling: "mean", normalize: true, sentenceTransformers: true },
    });
    expect(model.files).toContain("1_Pooling/config.json");
  });

  test("an encoder alone gives embeddings, too", async () => {
    expect(await detected(fixture("hugging-face/encoder"))).toMatchObject({
      architecture: "BertModel",
      task: "feature-extraction",
      details: { embeddingDimension: 8 },
    });
  });

  test("code of the author's (auto_map) is said, taken along and not run", async () => {
    const model = await detected(fixture("hugging-face/remote-code"));
    expect(model.warnings[0]).toContain("trust_remote_code");
    expect(model.files).toContain("modeling_own.py");
    expect(model.details.remoteCode).toEqual(["modeling_own.OwnForSequenceClassification"]);
  });

  test("labels that the configuration leaves out are counted at the head of the network", async () => {
    const folder = copyOf("hugging-face/text-classification");
    changeJson(join(folder, "config.json"), (config) => {
      delete config.id2label;
    });
    expect((await detected(folder)).labels).toEqual(["LABEL_0", "LABEL_1"]);
  });

  test("before version 5, dtype and chat template had other places", async () => {
    const folder = copyOf("hugging-face/text-generation");
    changeJson(join(folder, "config.json"), (config) => {
      config.torch_dtype = config.dtype;
      delete config.dtype;
    });
    rmSync(join(folder, "chat_template.jinja"));
    changeJson(join(folder, "tokenizer_config.json"), (config) => {
      config.chat_template = [
        { name: "tool_use", template: "tools" },
        { name: "default", template: "plain" },
      ];
    });
    expect((await detected(folder)).details).toMatchObject({ dtype: "bfloat16", chatTemplate: "plain" });
  });

  test("a shard that is missing is an error that says so", async () => {
    const folder = copyOf("hugging-face/text-generation");
    rmSync(join(folder, "model-00002-of-00002.safetensors"));
    await expect(detectModel(folder)).rejects.toMatchObject({
      code: "model_file",
      why: "1 of the 2 files that it names are not beside it.",
    });
  });

  test("pickled weights are taken with a warning", async () => {
    const folder = copyOf("hugging-face/text-classification");
    rmSync(join(folder, "model.safetensors"));
    writeFileSync(join(folder, "pytorch_model.bin"), "");
    const model = await detected(folder);
    expect(model.warnings[0]).toContain("weights are a pickle");
    expect(model.files).toContain("pytorch_model.bin");
  });

  test("what a pickle among the weights would do is said first", async () => {
    const folder = copyOf("hugging-face/text-classification");
    rmSync(join(folder, "model.safetensors"));
    const pickle = Buffer.from("\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.", "latin1");
    writeFileSync(join(folder, "pytorch_model.bin"), zipBytes([{ name: "model/data.pkl", content: pickle }]));
    expect((await detected(folder)).warnings[0]).toBe(
      "pytorch_model.bin: Loading it would reach os.system, which no model needs: do not load it.",
    );
  });

  test("older sentence-transformers keep the transformer in a folder of its own", async () => {
    const folder = copyOf("hugging-face/sentence-transformers");
    const inner = join(folder, "0_Transformer");
    await mkdir(inner);
    for (const name of ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]) {
      renameSync(join(folder, name), join(inner, name));
    }
    const modules = join(folder, "modules.json");
    const stated = JSON.parse(readFileSync(modules, "utf8"));
    stated[0].path = "0_Transformer";
    writeFileSync(modules, JSON.stringify(stated));
    writeFileSync(
      join(folder, "1_Pooling", "config.json"),
      '{"word_embedding_dimension": 8, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}',
    );
    const model = await detected(folder);
    expect(model).toMatchObject({
      architecture: "BertModel",
      details: { pooling: "cls", embeddingDimension: 8 },
    });
    expect(model.files[0]).toBe("modules.json");
    expect(model.files).toContain("0_Transformer/model.safetensors");
  });

  test.each(["config.json", "model.safetensors"])("%s alone stands for its folder", async (name) => {
    const { found } = await detectModel(fixture(`hugging-face/text-classification/${name}`));
    expect(found).toMatchObject([{ kind: "hugging-face", task: "text-classification" }]);
  });

  test("a link out of the folder is refused: the project would carry what it leads to", async () => {
    const folder = copyOf("hugging-face/text-classification");
    renameSync(join(folder, "tokenizer.json"), join(dirname(folder), "secret.json"));
    symlinkSync(join(dirname(folder), "secret.json"), join(folder, "tokenizer.json"));
    await expect(detectModel(folder)).rejects.toMatchObject({
      code: "model_file",
      message: "tokenizer.json is a link that leads out of the model's folder.",
    });
  });

  test("a cache of the hub, where snapshots link to blobs, is a folder like any other", async () => {
    const plain = copyOf("hugging-face/text-classification");
    const repository = join(dirname(plain), "models--someone--model");
    const snapshot = join(repository, "snapshots", "0123abcd");
    await mkdir(snapshot, { recursive: true });
    renameSync(plain, join(repository, "blobs"));
    for (const name of ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]) {
      symlinkSync(join("..", "..", "blobs", name), join(snapshot, name));
    }
    expect(await detected(snapshot)).toMatchObject({ task: "text-classification", files: { length: 4 } });
  });

  test("a config.json of another program is no model", async () => {
    const folder = copyOf("hugging-face/text-classification");
    rmSync(join(folder, "model.safetensors"));
    writeFileSync(join(folder, "config.json"), '{"port": 8080}');
    expect(await detectModel(folder)).toEqual({ found: [] });
  });

  test("an adapter is told from a model", async () => {
    const folder = copyOf("hugging-face/text-classification");
    rmSync(join(folder, "config.json"));
    renameSync(join(folder, "model.safetensors"), join(folder, "adapter_model.safetensors"));
    writeFileSync(
      join(folder, "adapter_config.json"),
      '{"peft_type": "LORA", "base_model_name_or_path": "someone/base"}',
    );
    const model = await detected(folder);
    expect(model).toMatchObject({ summary: "PEFT adapter, LORA, for someone/base", task: undefined });
    expect(model.warnings[0]).toContain("merge it into its base model");
  });
});
