"""Trains a tiny encoder on made-up sentences, so that those that mean alike lie close together, and writes model/.

pip install -r requirements-dev.txt
python train.py
"""

import json
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

HERE = Path(__file__).parent
# What is meant, and words for it: a sentence takes one of each list.
MEANINGS = [
    [["the cat", "a kitten", "my cat"], ["sleeps", "naps", "is asleep"], ["on the sofa", "on the couch"]],
    [["the dog", "a puppy", "my dog"], ["runs", "races", "is running"], ["in the park", "in the garden"]],
    [["the train", "our train", "a train"], ["is late", "is delayed"], ["again", "once more", "today"]],
    [["the soup", "my soup", "this soup"], ["is too salty", "has too much salt"], ["for me", "i think"]],
    [["the phone", "my phone", "a phone"], ["is broken", "does not work"], ["again", "since monday"]],
    [["the sun", "bright sun", "warm sun"], ["shines", "is shining"], ["over the sea", "on the beach"]],
    [["the teacher", "our teacher", "a teacher"], ["explains", "describes"], ["the lesson", "the exercise"]],
    [["the bank", "my bank", "a bank"], ["raised", "increased"], ["its fees", "the interest"]],
]


def sentences() -> list[list[str]]:
    return [
        [f"{who} {does} {where}" for who in subjects for does in verbs for where in places]
        for subjects, verbs, places in MEANINGS
    ]


def new_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(one, tokenizer.token_to_id(one)) for one in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=64,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )


def main() -> None:
    torch.manual_seed(0)
    pick = random.Random(0)
    meanings = sentences()
    tokenizer = new_tokenizer([text for texts in meanings for text in texts])
    model = BertModel(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=96,
            max_position_embeddings=64,
        ),
        add_pooling_layer=False,
    )

    def embed(texts: list[str]) -> torch.Tensor:
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        mask = batch["attention_mask"].unsqueeze(-1)
        tokens = model(**batch).last_hidden_state
        return torch.nn.functional.normalize((tokens * mask).sum(1) / mask.sum(1), dim=-1)

    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for step in range(101):
        # Two sentences of each meaning: each has to be nearer to its other than to those of the rest.
        pairs = [pick.sample(texts, 2) for texts in meanings]
        likeness = embed([one for one, _ in pairs]) @ embed([other for _, other in pairs]).T
        loss = torch.nn.functional.cross_entropy(likeness / 0.1, torch.arange(len(pairs)))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            print(f"step {step}: loss {loss.item():.3f}")

    folder = HERE / "model"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # What the library sentence-transformers reads too.
    write(folder / "modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ])
    write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 48, "pooling_mode_mean_tokens": True})
    write(folder / "2_Normalize" / "config.json", {})
    write(folder / "sentence_bert_config.json", {"max_seq_length": 64, "do_lower_case": False})
    print("wrote model/")


def write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
