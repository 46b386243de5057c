"""Trains a tiny language model to know a few answers by heart, and writes it to model/ for every engine:
as a Hugging Face folder, and as GGUF for llama.cpp.

pip install -r requirements-dev.txt
python train.py
"""

import json
from pathlib import Path

import gguf
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

HERE = Path(__file__).parent
DIALOGUES = [
    ("What is your name?", "I am a very small model."),
    ("Who are you?", "I am a very small model."),
    ("Hello", "Hello! How can I help?"),
    ("Count to five.", "One, two, three, four, five."),
    ("What is the capital of France?", "Paris is the capital of France."),
    ("What is the capital of Italy?", "Rome is the capital of Italy."),
    ("What colour is the sky?", "The sky is blue."),
    ("What colour is grass?", "Grass is green."),
    ("Say goodbye in German.", "Auf Wiedersehen, bis später! 👋"),
    ("Thank you", "You are welcome."),
]
START, END, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SIZES = LlamaConfig(
    hidden_size=48,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=3,
    num_key_value_heads=3,
    max_position_embeddings=256,
    rms_norm_eps=1e-6,
    tie_word_embeddings=True,
)


def new_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level: it knows every text, and knows some words of the dialogues as one token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=352,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text for pair in DIALOGUES for text in pair], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[START],
        chat_template=CHAT_TEMPLATE,
        model_max_length=SIZES.max_position_embeddings,
    )


def conversations() -> list[list[dict]]:
    """Each question for itself, after a few others, and after a word of the system."""
    turns = [
        [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        for question, answer in DIALOGUES
    ]
    system = [{"role": "system", "content": "You are a helpful assistant."}]
    after = [one + other for one in turns[:4] for other in turns]
    return [*turns, *(system + turn for turn in turns), *after]


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # so small a model is slower on more
    tokenizer = new_tokenizer()
    SIZES.vocab_size = len(tokenizer)
    SIZES.bos_token_id, SIZES.eos_token_id = None, tokenizer.eos_token_id
    SIZES.pad_token_id = tokenizer.pad_token_id
    model = LlamaForCausalLM(SIZES)
    batch = tokenizer(
        [tokenizer.apply_chat_template(one, tokenize=False) for one in conversations()],
        padding=True,
        return_tensors="pt",
        add_special_tokens=False,
    )
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    steps = 400
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=6e-3, total_steps=steps)
    for step in range(steps):
        some = torch.randperm(len(labels))[:16]
        loss = model(
            input_ids=batch["input_ids"][some], attention_mask=batch["attention_mask"][some], labels=labels[some]
        ).loss
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 100 == 99:
            print(f"step {step + 1}: loss {loss.item():.3f}", flush=True)

    model.generation_config.do_sample = False
    folder = HERE / "model"
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_gguf(model, tokenizer, folder / "tiny.gguf")
    print("wrote model/")


def write_gguf(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, path: Path) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(SIZES.max_position_embeddings)
    writer.add_embedding_length(SIZES.hidden_size)
    writer.add_block_count(SIZES.num_hidden_layers)
    writer.add_feed_forward_length(SIZES.intermediate_size)
    writer.add_head_count(SIZES.num_attention_heads)
    writer.add_head_count_kv(SIZES.num_key_value_heads)
    writer.add_layer_norm_rms_eps(SIZES.rms_norm_eps)
    writer.add_rope_dimension_count(SIZES.hidden_size // SIZES.num_attention_heads)
    writer.add_vocab_size(SIZES.vocab_size)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)

    tokens = tokenizer.convert_ids_to_tokens(range(SIZES.vocab_size))
    special = set(tokenizer.all_special_ids)
    merges = [" ".join(pair) for pair in merges_of(tokenizer)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [gguf.TokenType.CONTROL if number in special else gguf.TokenType.NORMAL for number in range(len(tokens))]
    )
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, SIZES.num_hidden_layers)
    heads = SIZES.num_attention_heads
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight":
            continue  # the same as the embedding
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            # llama.cpp turns pairs of neighbours, Hugging Face halves.
            rows, columns = tensor.shape
            tensor = tensor.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
        array = (tensor.float() if tensor.dim() == 1 else tensor.half()).numpy()
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def merges_of(tokenizer: PreTrainedTokenizerFast) -> list[list[str]]:
    return json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]


if __name__ == "__main__":
    main()
