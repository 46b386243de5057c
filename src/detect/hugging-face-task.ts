import { isRecord } from "./json.js";

/** Ends of the names of architectures, which say what the head of the network is for. */
const heads: readonly (readonly [end: RegExp, task: string])[] = [
  [/ForSequenceClassification$/, "text-classification"],
  [/ForTokenClassification$/, "token-classification"],
  [/ForQuestionAnswering$/, "question-answering"],
  [/For(ImageClassification(WithTeacher)?)$/, "image-classification"],
  [/ForMaskedLM$/, "fill-mask"],
  [/For(Semantic|Universal|Instance)Segmentation$/, "image-segmentation"],
  [/ForObjectDetection$/, "object-detection"],
  [/ForDepthEstimation$/, "depth-estimation"],
  [/ForZeroShotImageClassification$/, "zero-shot-image-classification"],
  [/For(AudioClassification|AudioFrameClassification)$/, "audio-classification"],
  [/For(SpeechSeq2Seq|CTC)$/, "automatic-speech-recognition"],
  [/For(Seq2SeqLM)$/, "text2text-generation"],
  [/(ForCausalLM|LMHeadModel)$/, "text-generation"],
];

/** What a transformers model does, in Hugging Face's words, from its class and its configuration. */
export function taskOf(
  architecture: string | undefined,
  config: Readonly<Record<string, unknown>>,
): string | undefined {
  if (architecture === undefined) return undefined;
  const head = heads.find(([end]) => end.test(architecture));
  if (head) return head[1];
  if (/ForConditionalGeneration$/.test(architecture)) {
    if (isRecord(config.vision_config)) return "image-text-to-text";
    return /^(Whisper|Speech)/.test(architecture) ? "automatic-speech-recognition" : "text2text-generation";
  }
  if (/^(CLIP|Siglip2?)Model$/.test(architecture)) return "zero-shot-image-classification";
  if (!/(Model|Encoder)$/.test(architecture)) return undefined;
  const seesImages = config.image_size !== undefined && config.vocab_size === undefined;
  return seesImages ? "image-feature-extraction" : "feature-extraction";
}

/** Those that get text and need a tokenizer beside them. */
export const textTasks: ReadonlySet<string> = new Set([
  "text-classification",
  "token-classification",
  "question-answering",
  "fill-mask",
  "text2text-generation",
  "text-generation",
  "feature-extraction",
]);
