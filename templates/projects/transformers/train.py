"""Trains a tiny classifier on made-up sentences, prints how good it is, and writes it to model/.

pip install -r requirements-dev.txt
python train.py
"""

import random
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

HERE = Path(__file__).parent
LABELS = ["billing", "delivery", "praise", "technical"]
WORDS = {
    "billing": [
        ["invoice", "bill", "payment", "refund", "charge", "card"],
        ["was charged twice", "is wrong", "did not go through", "shows the wrong amount", "has not come back"],
    ],
    "delivery": [
        ["parcel", "order", "package", "shipment", "courier", "box"],
        ["has not arrived", "is late", "went to the wrong address", "was left in the rain", "is stuck in transit"],
    ],
    "praise": [
        ["service", "team", "product", "support", "quality", "app"],
        ["is wonderful", "is great", "made my day", "works perfectly", "could not be better"],
    ],
    "technical": [
        ["app", "website", "page", "login", "button", "screen"],
        ["crashes", "does not load", "shows an error", "freezes at once", "will not start"],
    ],
}
BEFORE = ["", "hello,", "dear team,", "hi,", "since monday", "again", "once more", "i think", "it seems"]
AFTER = ["", "please help", "thank you", "what now?", "today", "since last week", "as you can see", "best regards"]


def split() -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Sentences and the numbers of their labels: for training, and held out for testing. The same at each call."""
    sentences = [
        (" ".join(f"{before} my {thing} {happens} {after}".split()), number)
        for number, label in enumerate(LABELS)
        for thing in WORDS[label][0]
        for happens in WORDS[label][1]
        for before in BEFORE
        for after in AFTER
    ]
    random.Random(0).shuffle(sentences)
    return sentences[:800], sentences[800:1200]


def new_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
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
    train, test = split()
    tokenizer = new_tokenizer([text for text, _ in train])
    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=96,
            max_position_embeddings=64,
            id2label=dict(enumerate(LABELS)),
            label2id={label: number for number, label in enumerate(LABELS)},
        )
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(4):
        for start in range(0, len(train), 32):
            texts, labels = zip(*train[start : start + 32])
            batch = tokenizer(list(texts), padding=True, return_tensors="pt")
            loss = model(**batch, labels=torch.tensor(labels)).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    model.eval()
    with torch.inference_mode():
        logits = model(**tokenizer([text for text, _ in test], padding=True, return_tensors="pt")).logits
    right = (logits.argmax(-1) == torch.tensor([label for _, label in test])).float().mean()
    print(f"held-out accuracy: {right:.4f} on {len(test)} sentences")

    model.save_pretrained(HERE / "model")
    tokenizer.save_pretrained(HERE / "model")
    print("wrote model/")


if __name__ == "__main__":
    main()
