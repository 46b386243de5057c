import { join } from "node:path";
import { chatTemplateOf } from "./chat-template.js";
import { damaged } from "./damaged.js";
import type { Detected, ModelField } from "./detected.js";
import { listFolder } from "./folder.js";
import { jsonFile, requireInside } from "./folder-files.js";
import { taskOf, textTasks } from "./hugging-face-task.js";
import { findWeights, type HuggingFaceWeights } from "./hugging-face-weights.js";
import { isRecord, numberAt, recordAt, textAt } from "./json.js";
import type { FolderReader, SourceFolder } from "./reader.js";
import { readSentenceModules, type SentenceModules } from "./sentence-transformers.js";
import { detailsOf, publicVersion, shortCount, summaryOf } from "./wording.js";

const mostLabels = 100_000;

/** What transformers reads beside the weights; a copy of the weights for another framework is not among it. */
const companions =
  /^((generation_|tokenizer_|preprocessor_|processor_|image_processor_|video_preprocessor_|adapter_)?config\.json|processor\.json|tokenizer(\..+)?\.(json|model)|tokenizer\.(json|model)|special_tokens_map\.json|added_tokens\.json|vocab\.(txt|json)|merges\.txt|(spiece|sentencepiece\.bpe|spm|source|target)\.(model|spm)|chat_template\.(jinja|json)|LICENSE(\..*)?)$/i;
const tokenizerFiles =
  /^(tokenizer\.(json|model)|vocab\.(txt|json)|spiece\.model|sentencepiece\.bpe\.model|spm\.model)$/;

export const huggingFace: FolderReader = {
  name: "Hugging Face folder",
  recognises: ({ files }) =>
    files.includes("config.json") || files.includes("modules.json") || files.includes("adapter_config.json"),
  read: readHuggingFace,
};

async function readHuggingFace(
  folder: SourceFolder,
  signal: AbortSignal | undefined,
): Promise<Detected | undefined> {
  const sentence = folder.files.includes("modules.json") ? await readSentenceModules(folder) : undefined;
  // Older sentence-transformers keep the transformer in a folder of its own
  const inside = sentence?.transformer ? `${sentence.transformer}/` : "";
  const base = inside === "" ? folder : await listFolder(join(folder.path, inside), signal);
  if (!base.files.includes("config.json")) return await readAdapter(folder, signal);

  const config = await configOf(base);
  if (!config) return undefined;
  const weights = await findWeights(base, signal);
  if (!weights) {
    // The model of such a folder is its GGUF or ONNX file
    if (base.files.some((name) => /\.(gguf|onnx)$/.test(name))) return undefined;
    throw damaged(join(base.path, "config.json"), "The folder has no file with weights beside it.");
  }
  const parts: Parts = {
    config,
    weights,
    sentence,
    tokenizer: await recordIn(base, "tokenizer_config.json"),
    image: await recordIn(base, "preprocessor_config.json"),
    names: base.files,
  };
  const remoteCode = remoteCodeOf(parts);
  const names = [
    ...base.files.filter(
      (name) =>
        weights.files.includes(name) ||
        companions.test(name) ||
        (remoteCode.length > 0 && name.endsWith(".py")),
    ),
  ].sort((a, b) => Number(b === "config.json") - Number(a === "config.json"));
  const own = names.map((name) => `${inside}${name}`);
  const others = sentence?.files ?? [];
  // What the model is loaded by stands in its own folder, and comes first
  const ordered = inside === "" ? [...own, ...others] : [...others, ...own];
  const files = [...new Set(ordered)].map((name) => join(folder.path, name));
  await requireInside(folder.path, files);
  return describe(parts, await chatTemplateOf(base, parts.tokenizer), remoteCode, files);
}

interface Parts {
  config: Readonly<Record<string, unknown>>;
  weights: HuggingFaceWeights;
  sentence: SentenceModules | undefined;
  tokenizer: Readonly<Record<string, unknown>>;
  image: Readonly<Record<string, unknown>>;
  names: readonly string[];
}

/** `undefined`: some other program's config.json. */
async function configOf(base: SourceFolder): Promise<Record<string, unknown> | undefined> {
  const path = join(base.path, "config.json");
  const hasWeights = base.files.some((name) => /^(model.*\.safetensors|pytorch_model.*\.bin)$/.test(name));
  let config: unknown;
  try {
    config = await jsonFile(path);
  } catch (error) {
    if (hasWeights) throw error;
    return undefined;
  }
  if (!isRecord(config)) return undefined;
  const isOurs = Array.isArray(config.architectures) || textAt(config, "transformers_version") !== undefined;
  return isOurs || (hasWeights && textAt(config, "model_type") !== undefined) ? config : undefined;
}

async function recordIn(base: SourceFolder, name: string): Promise<Record<string, unknown>> {
  if (!base.files.includes(name)) return {};
  const value = await jsonFile(join(base.path, name));
  return isRecord(value) ? value : {};
}

/** Classes that the author brings along and that transformers runs only with `trust_remote_code`. */
function remoteCodeOf({ config, tokenizer, image, sentence }: Parts): string[] {
  const named = [config, tokenizer, image].flatMap((one) => Object.values(recordAt(one, "auto_map")).flat());
  const classes = named.filter((one) => typeof one === "string");
  return [...new Set([...classes, ...(sentence?.ownClasses ?? [])])].slice(0, 20);
}

function describe(
  parts: Parts,
  chatTemplate: string | undefined,
  remoteCode: readonly string[],
  files: readonly string[],
): Detected {
  const { config, weights, sentence, tokenizer } = parts;
  const stated = Array.isArray(config.architectures) ? config.architectures[0] : undefined;
  const architecture = typeof stated === "string" ? stated : undefined;
  const task = sentence ? "feature-extraction" : taskOf(architecture, config);
  const text = isRecord(config.text_config) ? config.text_config : config;
  const labels = labelsOf(task, config, weights);
  const dtype = textAt(config, "dtype") ?? textAt(config, "torch_dtype") ?? weights.dtype;
  const hiddenSize = numberAt(text, "hidden_size") ?? numberAt(text, "d_model") ?? numberAt(text, "n_embd");
  const positions =
    numberAt(text, "max_position_embeddings") ?? numberAt(text, "n_positions") ?? numberAt(text, "n_ctx");
  const quantisation = textAt(recordAt(config, "quantization_config"), "quant_method");
  const hasTokenizer = parts.names.some((name) => tokenizerFiles.test(name));
  const image = imageSizeOf(parts);
  const version = textAt(config, "transformers_version");
  const dimension = sentence?.dimension ?? hiddenSize;

  const warnings: string[] = weights.harm.map((text) => `${weights.files.at(-1)}: ${text}`);
  if (remoteCode.length > 0) {
    warnings.push(
      "The model brings its own Python code (auto_map), which runs only with trust_remote_code: read it before you allow it.",
    );
  }
  if (weights.format === "pickle") {
    warnings.push(
      "The weights are a pickle, which can run code when it is loaded: prefer a model with safetensors.",
    );
  } else if (weights.format !== "safetensors") {
    warnings.push(
      `The weights are ${weights.format}'s: transformers 5 reads PyTorch's and safetensors only.`,
    );
  }
  if (task !== undefined && textTasks.has(task) && !hasTokenizer) {
    warnings.push("The folder has no tokenizer: save it there, too, with tokenizer.save_pretrained.");
  }
  if (task === "text-generation" && chatTemplate === undefined) {
    warnings.push(
      "The model has no chat template: it continues text, and may not have been trained for chat.",
    );
  }
  if (task === undefined) {
    warnings.push("Neither the architecture nor the configuration says what the model is for.");
  }
  if (quantisation !== undefined) {
    warnings.push(`The weights are quantised with ${quantisation}: its library, and often a GPU, is needed.`);
  }
  return {
    kind: "hugging-face",
    confidence: architecture === undefined ? "likely" : "certain",
    summary: summaryOf(
      sentence ? "Sentence Transformers model" : "Hugging Face model",
      architecture,
      task,
      weights.parameters === undefined ? undefined : `${shortCount(weights.parameters)} parameters`,
    ),
    library: sentence
      ? { name: "sentence-transformers", version: publicVersion(sentence.version) }
      : { name: "transformers", version: publicVersion(version) },
    architecture,
    task,
    ...fieldsOf(task, image, labels, dimension, sentence !== undefined),
    features: undefined,
    labels,
    files,
    warnings,
    details: detailsOf({
      modelType: textAt(config, "model_type"),
      dtype,
      parameters: weights.parameters,
      weights: weights.format,
      shards: weights.files.length > 1 ? weights.files.length - 1 : undefined,
      tokenizer: hasTokenizer ? (textAt(tokenizer, "tokenizer_class") ?? "unnamed") : undefined,
      contextLength: positions,
      maxLength: sentence?.maxLength ?? lengthOf(tokenizer) ?? positions,
      vocabularySize: numberAt(text, "vocab_size"),
      hiddenSize,
      layers: numberAt(text, "num_hidden_layers") ?? numberAt(text, "n_layer"),
      embeddingDimension: task === "feature-extraction" ? dimension : undefined,
      pooling: sentence?.pooling,
      normalize: sentence?.normalize,
      similarity: sentence?.similarity,
      sentenceTransformers: sentence ? true : undefined,
      problemType: textAt(config, "problem_type"),
      imageHeight: image?.height,
      imageWidth: image?.width,
      imageChannels: image?.channels,
      chatTemplate,
      quantisation,
      remoteCode: remoteCode.length > 0 ? remoteCode : undefined,
      transformersVersion: version,
    }),
  };
}

/** Tokenizers without a limit state 10^30. */
function lengthOf(tokenizer: Readonly<Record<string, unknown>>): number | undefined {
  const stated = numberAt(tokenizer, "model_max_length");
  return stated !== undefined && stated > 0 && stated <= 100_000_000 ? stated : undefined;
}

const classifiers = /^(text|token|image|audio)-classification$/;

/** In the order of the classes. transformers leaves the default ones out: then the head tells how many there are. */
function labelsOf(
  task: string | undefined,
  config: Readonly<Record<string, unknown>>,
  weights: HuggingFaceWeights,
): string[] | undefined {
  if (task === undefined || !classifiers.test(task)) return undefined;
  const named = recordAt(config, "id2label");
  const count = Object.keys(named).length;
  if (count > 0 && count <= mostLabels) {
    const labels = Array.from({ length: count }, (_, at) => named[String(at)]);
    if (labels.every((label) => typeof label === "string" || typeof label === "number"))
      return labels.map(String);
  }
  const heads = ["classifier.weight", "score.weight", "classifier.out_proj.weight"];
  const head = heads.map((name) => weights.shapes.get(name)).find((shape) => shape?.length === 2);
  const classes = numberAt(config, "num_labels") ?? head?.[0];
  if (classes === undefined || !Number.isInteger(classes) || classes < 1 || classes > mostLabels)
    return undefined;
  return Array.from({ length: classes }, (_, at) => `LABEL_${at}`);
}

interface ImageSize {
  height: number;
  width: number;
  channels: number;
}

/** As the image processor makes them: cropped where it crops, and as the network states otherwise. */
function imageSizeOf({ config, image }: Parts): ImageSize | undefined {
  const vision = isRecord(config.vision_config) ? config.vision_config : config;
  const channels = numberAt(vision, "num_channels") ?? 3;
  const crops = image.do_center_crop === true ? [image.crop_size] : [];
  for (const size of [...crops, image.size, vision.image_size]) {
    if (typeof size === "number") return { height: size, width: size, channels };
    if (Array.isArray(size) && typeof size[0] === "number" && typeof size[1] === "number") {
      return { height: size[0], width: size[1], channels };
    }
    const [height, width] = [numberAt(size, "height"), numberAt(size, "width")];
    if (height !== undefined && width !== undefined) return { height, width, channels };
    const edge = numberAt(size, "shortest_edge");
    if (edge !== undefined) return { height: edge, width: edge, channels };
  }
  return undefined;
}

function fieldsOf(
  task: string | undefined,
  image: ImageSize | undefined,
  labels: readonly string[] | undefined,
  dimension: number | undefined,
  isSentence: boolean,
): { inputs: ModelField[]; outputs: ModelField[] } {
  const classes = labels?.length ?? null;
  const field = (
    name: string,
    dtype: ModelField["dtype"],
    ...shape: (number | string | null)[]
  ): ModelField => ({
    name,
    dtype,
    shape,
  });
  const tokens = [
    field("input_ids", "int64", "batch", "sequence"),
    field("attention_mask", "int64", "batch", "sequence"),
  ];
  switch (task) {
    case "text-classification":
      return { inputs: tokens, outputs: [field("logits", "float32", "batch", classes)] };
    case "token-classification":
      return { inputs: tokens, outputs: [field("logits", "float32", "batch", "sequence", classes)] };
    case "text-generation":
    case "fill-mask":
      return { inputs: tokens, outputs: [field("logits", "float32", "batch", "sequence", null)] };
    case "feature-extraction":
      return {
        inputs: tokens,
        outputs: [
          isSentence
            ? field("sentence_embedding", "float32", "batch", dimension ?? null)
            : field("last_hidden_state", "float32", "batch", "sequence", dimension ?? null),
        ],
      };
    case "image-classification": {
      const shape = [image?.channels ?? null, image?.height ?? null, image?.width ?? null];
      return {
        inputs: [field("pixel_values", "float32", "batch", ...shape)],
        outputs: [field("logits", "float32", "batch", classes)],
      };
    }
    default:
      return { inputs: [], outputs: [] };
  }
}

/** A LoRA adapter: weights that change another model, which is not here. */
async function readAdapter(
  folder: SourceFolder,
  signal: AbortSignal | undefined,
): Promise<Detected | undefined> {
  if (!folder.files.includes("adapter_config.json")) return undefined;
  const config = await jsonFile(join(folder.path, "adapter_config.json"));
  const type = textAt(config, "peft_type");
  const weights = type === undefined ? undefined : await findWeights(folder, signal);
  if (type === undefined || weights === undefined) return undefined;
  const model = textAt(config, "base_model_name_or_path");
  const files = [
    "adapter_config.json",
    ...weights.files,
    ...folder.files.filter((name) => companions.test(name)),
  ];
  const paths = [...new Set(files)].map((name) => join(folder.path, name));
  await requireInside(folder.path, paths);
  return {
    kind: "hugging-face",
    confidence: "likely",
    summary: summaryOf("PEFT adapter", type, model === undefined ? undefined : `for ${model}`),
    library: { name: "peft", version: undefined },
    architecture: undefined,
    task: undefined,
    inputs: [],
    outputs: [],
    features: undefined,
    labels: undefined,
    files: paths,
    warnings: ["This is an adapter only: merge it into its base model and save that, to have a whole model."],
    details: detailsOf({ adapter: type, baseModel: model, parameters: weights.parameters }),
  };
}
