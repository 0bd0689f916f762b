"""Random-weight BERT folders of a few kilobytes, for an embedding model and a cross-encoder by setting."""

import string
from pathlib import Path

HIDDEN = 32


def write_tiny_embedder(folder: Path) -> Path:
    """A model that gives every text a vector of 32 numbers; returns its folder."""
    from transformers import BertModel

    return _write(folder, BertModel, 0)


def write_tiny_cross_encoder(folder: Path, *, scores: int = 1, seed: int = 0) -> Path:
    """A model that gives every pair of texts so many scores; returns its folder."""
    from transformers import BertForSequenceClassification

    return _write(folder, BertForSequenceClassification, seed, num_labels=scores)


def _write(folder: Path, kind: type, seed: int, **options: int) -> Path:
    import torch
    from transformers import BertConfig, BertTokenizerFast

    folder.mkdir(parents=True)
    letters = string.ascii_lowercase + string.digits + string.punctuation
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=HIDDEN,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=HIDDEN,
        initializer_range=0.5,
        **options,
    )
    torch.manual_seed(seed)
    kind(config).save_pretrained(folder)  # type: ignore[attr-defined]
    vocabulary = {piece: n for n, piece in enumerate(pieces)}
    BertTokenizerFast(vocab=vocabulary).save_pretrained(folder)
    return folder
