"""Subwords by sentencepiece."""

from __future__ import annotations

import base64
import importlib
import io
import logging
import random
from collections.abc import Iterable
from typing import Any, Literal

import regex

from seqlab.checks import check_sizes
from seqlab.errors import InputError
from seqlab.special_tokens import BOS, EOS, PAD, UNK
from seqlab.text.tokenizers.tokenizer import UNKNOWN, Tokenizer

log = logging.getLogger(__name__)
SPECIAL_IDS = (PAD, BOS, EOS, UNK)
MARK = "\0"  # a character that is part of no piece, so that no merge crosses it
SPACE = "\u2581"  # how sentencepiece writes a space
RESERVED = "\u2585"  # how it writes an unknown character; in training it ignores texts with this character


class SentencePieceTokenizer(Tokenizer):
    """Subwords by sentencepiece: byte-pair encoding (arXiv 1508.07909) or a unigram model (arXiv 1804.10959).

    Text is not normalised (except lower-cased with `lower`), and unseen characters fall back to their bytes, so
    nothing becomes UNK and decoding gives the text back. The exception is U+2581, which sentencepiece uses for the
    space: it is decoded as a space, with a warning.

    Raises:
        ValueError: `model` is not base64 of a serialised sentencepiece model, or its special tokens have other ids.
    """

    lossless = True

    def __init__(self, model: str, lower: bool = False) -> None:
        from sentencepiece import SentencePieceProcessor

        self._model, self.lower, self._has_warned = model, lower, False
        self._processor = processor = SentencePieceProcessor(model_proto=base64.b64decode(model, validate=True))
        if (ids := [processor.pad_id(), processor.bos_id(), processor.eos_id(), processor.unk_id()]) != [*SPECIAL_IDS]:
            raise ValueError(f"model must number PAD, BOS, EOS and UNK 0 to 3, but numbers them {ids}")
        self._mark = self.encode(MARK)

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        vocabulary_size: int = 4000,
        algorithm: Literal["bpe", "unigram"] = "bpe",
        lower: bool = False,
        sample: int = 10_000_000,
    ) -> SentencePieceTokenizer:
        """Trains on `texts`, or on a random sample of them with at most `sample` characters.

        If the texts cannot fill the vocabulary, its size is lowered, with a warning.

        Raises:
            InputError: the vocabulary is too small even for the characters of the texts.
        """
        check_sizes(vocabulary_size=vocabulary_size, sample=sample)
        texts = [(text.lower() if lower else text).replace(RESERVED, " ") for text in sampled(texts, sample)]
        try:
            return cls(_train(texts, vocabulary_size, algorithm), lower)
        except RuntimeError as error:
            if limit := regex.search(r"value <= (\d+)", str(error)):
                log.warning(
                    "vocabulary size lowered from %d to %s: there is too little text for more",
                    vocabulary_size,
                    limit[1],
                )
                return cls(_train(texts, int(limit[1]), algorithm), lower)
            reason = str(error).strip().splitlines()[-1]
            raise InputError(f"sentencepiece cannot train a vocabulary of {vocabulary_size}: {reason}") from None

    @property
    def size(self) -> int:
        return self._processor.vocab_size()

    def encode(self, text: str) -> list[int]:
        if SPACE in text and not self._has_warned:
            self._has_warned = True
            log.warning(
                "a text contains %s (U+2581): sentencepiece uses it for the space, and it is decoded as a space", SPACE
            )
        try:
            return self._pieces(text.lower() if self.lower else text)
        except RuntimeError:
            raise ValueError(f"{text!r} is not valid Unicode text") from None

    def _pieces(self, text: str) -> list[int]:
        return self._processor.encode(text)

    def continued(self, text: str) -> list[int]:
        # sentencepiece puts a space before every text; with the mark in front, the space comes before the mark.
        return self.encode(MARK + text)[len(self._mark) :]

    def decode(self, ids: Iterable[int]) -> str:
        return self._processor.decode([int(i) for i in ids if i > EOS])

    def piece(self, token: int) -> str:
        """One token, with sentencepiece's mark for a space before a word."""
        return self._processor.id_to_piece(token)

    def state(self) -> dict[str, Any]:
        return {"model": self._model, "lower": self.lower}

    def dropping(self, dropout: float, seed: int) -> SentencePieceTokenizer:
        """The same vocabulary with BPE-dropout (arXiv 1910.13267, section 3): each merge is skipped with
        probability `dropout`.

        The random draws for the n-th encoded text depend only on the seed and on n.

        Raises:
            ValueError: the model is not a byte-pair encoding.
        """
        schema: Any = importlib.import_module("sentencepiece.sentencepiece_model_pb2")
        model = schema.ModelProto.FromString(base64.b64decode(self._model))
        if model.trainer_spec.model_type != schema.TrainerSpec.BPE:
            raise ValueError("BPE-dropout needs a byte-pair encoding (algorithm=bpe)")
        return _Dropping(self._model, self.lower, dropout, seed)


class _Dropping(SentencePieceTokenizer):
    def __init__(self, model: str, lower: bool, dropout: float, seed: int) -> None:
        self._dropout, self._seeds = dropout, random.Random(seed)
        super().__init__(model, lower)

    def _pieces(self, text: str) -> list[int]:
        from sentencepiece import set_random_generator_seed

        set_random_generator_seed(self._seeds.getrandbits(32))
        # Encoding a list starts a new thread: the generator is per thread, and reads its seed when the thread starts.
        draws: dict[str, Any] = {"enable_sampling": True, "nbest_size": -1, "alpha": self._dropout, "num_threads": 1}
        [ids] = self._processor.encode([text], **draws)
        return ids


def _train(texts: list[str], vocabulary_size: int, algorithm: str) -> str:
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type=algorithm,
        vocab_size=vocabulary_size,
        pad_id=PAD,
        bos_id=BOS,
        eos_id=EOS,
        unk_id=UNK,
        unk_surface=UNKNOWN,
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        max_sentence_length=1 << 24,  # bytes; sentencepiece silently ignores longer texts
        remove_extra_whitespaces=False,
        num_threads=1,  # with several threads the model would depend on the machine
        minloglevel=2,
    )
    return base64.b64encode(model.getvalue()).decode()


def sampled(texts: Iterable[str], characters: int, seed: int = 0) -> list[str]:
    """A random sample of texts, in their order, with at most `characters` characters in total; all of them if they fit.

    The texts are streamed: only the sample is in memory.
    """
    generator = random.Random(seed)
    kept: list[tuple[float, str]] = []
    share, held = 1.0, 0
    for text in texts:
        draw = generator.random()
        if draw >= share:
            continue
        kept.append((draw, text))
        held += len(text)
        while held > characters and len(kept) > 1:
            share /= 2
            kept = [one for one in kept if one[0] < share]
            held = sum(len(one[1]) for one in kept)
    return [text for _, text in kept]
