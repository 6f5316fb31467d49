"""A trained model with its tokenizers: text in, text out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from seqlab.data.batch import Ragged
from seqlab.decoding import Hypotheses, Search, Step
from seqlab.decoding.hypotheses import Selectable
from seqlab.errors import InputError
from seqlab.inference.attention_maps import AttentionMaps, attention_maps
from seqlab.inference.streams import StreamFormat
from seqlab.inference.unknown_words import check_replacing, outputs_as_text
from seqlab.models.base import Seq2Seq
from seqlab.special_tokens import PAD
from seqlab.text.incremental_detokenizer import text_after
from seqlab.text.tokenizers import Tokenizer


class Output(NamedTuple):
    """An output for a text. `score` is the natural logarithm of its probability."""

    text: str
    score: float


class Predictor:
    """A trained model with its tokenizers and a `search`, which may be replaced.

    A model that was trained on a `stream` continues texts; of a text longer than its training blocks it reads the end.
    """

    def __init__(
        self, model: Seq2Seq, source: Tokenizer, target: Tokenizer, search: Search, stream: StreamFormat | None = None
    ) -> None:
        self.model, self.source_tokenizer, self.target_tokenizer = model.eval(), source, target
        self.search, self.stream = search, stream

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def predict(self, texts: Iterable[str], batch_size: int = 256) -> list[str]:
        """The best output for each text.

        Raises:
            TypeError: one text, not several.
            ValueError: a text that the tokenizer cannot express.
        """
        return [outputs[0].text for outputs in self.predict_n_best(texts, batch_size)]

    def predict_n_best(self, texts: Iterable[str], batch_size: int = 256) -> list[list[Output]]:
        """All outputs of the search for each text, at least one, best first.

        Raises:
            TypeError: one text, not several.
            ValueError: a text that the tokenizer cannot express.
        """
        if isinstance(texts, str):  # which is an iterable of texts, too: its characters
            raise TypeError(f"several texts are expected, but this is one: {texts!r}; put it in a list")
        texts = list(texts)
        return self.generate([self.encode(text) if text.strip() else [] for text in texts], batch_size, texts)

    def attention(self, text: str) -> AttentionMaps:
        """Where each attention of the decoder looks in a source for each token of the output.

        Raises:
            InputError: the model continues text, so there is no source; or `text` is empty.
            TypeError: several texts, not one.
            ValueError: the tokenizer cannot express it.
        """
        if not isinstance(text, str):
            raise TypeError(f"one text is expected, but this is a {type(text).__name__}; attentions takes several")
        (look,) = self.attentions([text])
        return look

    def attentions(self, texts: Sequence[str]) -> list[AttentionMaps]:
        """The same for several texts at once, in one batch; some of them may be empty, but not all."""
        if self.stream is not None:
            raise InputError("this model was trained on plain text, which it continues: there is no source to look at")
        sources = [self.encode(text) for text in texts]
        if not any(sources):
            raise InputError("attention needs a source, but there is no text")
        return attention_maps(self.model, (self.source_tokenizer, self.target_tokenizer), self.search, sources)

    def encode(self, text: str) -> list[int]:
        """The ids of a text as the model reads it: of a source (none if it is blank), or of a prompt.

        Raises:
            ValueError: the tokenizer cannot express it.
        """
        if self.stream is None:
            return self.source_tokenizer.read(text) if text.strip() else []
        return self.stream.prompt(self.target_tokenizer.read(text))

    def encode_leniently(self, text: str) -> tuple[list[int], list[str]]:
        """As `encode`, but symbols that the tokenizer does not know become UNK; also those symbols.

        Raises:
            ValueError: the tokenizer cannot express the text for another reason.
        """
        if self.stream is None:
            return self.source_tokenizer.read_leniently(text) if text.strip() else ([], [])
        ids, unknown = self.target_tokenizer.read_leniently(text)
        return self.stream.prompt(ids), unknown

    def generate(
        self, inputs: Sequence[Sequence[int]], batch_size: int = 256, texts: Sequence[str] | None = None
    ) -> list[list[Output]]:
        """All outputs of the search for each encoded text; texts of similar length share a batch.

        An input without ids gets one empty output with score 0.

        Args:
            inputs: ids, as `encode` returns them.
            texts: the texts before encoding, which are needed if the search replaces unknown words.

        Raises:
            InputError: the search replaces unknown words, but the model or its tokenizers do not support that.
        """
        tokenizers = self.source_tokenizer, self.target_tokenizer
        check_replacing(self.search, self.model, *tokenizers, sources=self.stream is None)
        packed = Ragged.of(inputs)
        results = [[Output("", 0.0)]] * len(inputs)
        for rows in self._batches(packed.lengths, batch_size):
            tokens, lengths = (tensor.to(self._device) for tensor in packed.padded(rows))
            hypotheses = self._search(tokens, lengths)
            if self.stream is None:
                sources = [texts[row] for row in rows] if texts is not None else None
                outputs = outputs_as_text(
                    self.search, self.model, tokenizers, tokens, lengths, sources, hypotheses.tokens
                )
            else:
                outputs = [
                    [text_after(self.target_tokenizer, inputs[row], ids) for ids in n_best]
                    for row, n_best in zip(rows, hypotheses.tokens.tolist(), strict=True)
                ]
            for row, n_best, scores in zip(rows.tolist(), outputs, hypotheses.scores.tolist(), strict=True):
                results[row] = [
                    Output(text, score)
                    for rank, (text, score) in enumerate(zip(n_best, scores, strict=True))
                    if rank == 0 or score > -math.inf  # −∞ fills up a list with fewer outputs than requested
                ]
        return results

    def begin(self, ids: Sequence[int]) -> tuple[Step, Selectable, Int[Tensor, " 1"]]:
        """What a search for one encoded text starts from: see `Seq2Seq.begin`."""
        tokens, lengths = (tensor.to(self._device) for tensor in Ragged.of([ids]).padded(np.array([0])))
        if self.stream is None:
            return self.model.begin(tokens, lengths)
        return self.model.begin(*_empty_sources(tokens), tokens, self.stream.length)

    def _batches(self, lengths: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
        """The rows of each batch. Prompts in a batch have equal lengths, because padding cannot follow them."""
        order = np.argsort(lengths, kind="stable")
        order = order[lengths[order] > 0]
        for part in [order] if self.stream is None else np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
            yield from (part[start : start + batch_size] for start in range(0, len(part), batch_size))

    def _search(self, tokens: Int[Tensor, "B L"], lengths: Int[Tensor, " B"]) -> Hypotheses:
        if self.stream is None:
            return self.model.generate(tokens, lengths, self.search)
        search = self.stream.search(self.search)
        return self.model.generate(*_empty_sources(tokens), search, tokens, self.stream.length)


def _empty_sources(prompts: Int[Tensor, "B P"]) -> tuple[Int[Tensor, "B 1"], Int[Tensor, " B"]]:
    """Sources of length 0 with their lengths, one for each prompt."""
    return torch.full_like(prompts[:, :1], PAD), prompts.new_zeros(len(prompts))
