"""A trained model at work: text in, text out."""

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
from seqlab.inference.unknown_words import check_replacing, written
from seqlab.models.base import Seq2Seq
from seqlab.special_tokens import PAD
from seqlab.text.incremental_detokenizer import text_after
from seqlab.text.tokenizers import Tokenizer


class Output(NamedTuple):
    """What a model makes of a text. `score` is the natural logarithm of its probability."""

    text: str
    score: float


class Predictor:
    """A trained model with its tokenizers: text in, text out, by `search`, which may be set to another.

    One that was trained on a `stream` continues the texts it is given; of a text longer than what it was trained on it
    sees the end.
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
            ValueError: a text that the tokenizer cannot express.
        """
        return [outputs[0].text for outputs in self.predict_n_best(texts, batch_size)]

    def predict_n_best(self, texts: Iterable[str], batch_size: int = 256) -> list[list[Output]]:
        """For each text all that the search gives, best first: one output at least."""
        texts = list(texts)
        return self.generate([self.encode(text) if text.strip() else [] for text in texts], batch_size, texts)

    def attention(self, text: str) -> AttentionMaps:
        """Where each attention of the decoder looks in a source for each token of the output.

        Raises:
            InputError: the model continues text, so there is no source; or `text` is empty.
            ValueError: the tokenizer cannot express it.
        """
        return self.attentions([text])[0]

    def attentions(self, texts: Sequence[str]) -> list[AttentionMaps]:
        """The same for several texts at once, in one batch."""
        if self.stream is not None:
            raise InputError("this model was trained on plain text, which it continues: there is no source to look at")
        sources = [self.encode(text) for text in texts]
        if not all(sources):
            raise InputError("attention needs a source, but a text is empty")
        return attention_maps(self.model, (self.source_tokenizer, self.target_tokenizer), self.search, sources)

    def encode(self, text: str) -> list[int]:
        """What the model is given for a text: the ids of a source (none of a blank one), or of a prompt to go on from.

        Raises:
            ValueError: the tokenizer cannot express it.
        """
        if self.stream is None:
            return self.source_tokenizer.read(text) if text.strip() else []
        return self.stream.prompt(self.target_tokenizer.read(text))

    def generate(
        self, inputs: Sequence[Sequence[int]], batch_size: int = 256, texts: Sequence[str] | None = None
    ) -> list[list[Output]]:
        """The same for texts that are encoded already; those of similar length share a batch.

        Where there are no ids the model is not asked: the output is empty, its score 0.

        Args:
            texts: those texts, where unknown words are replaced by words of them.

        Raises:
            InputError: the search replaces unknown words, which the model or its tokenizers cannot.
        """
        tokenizers = self.source_tokenizer, self.target_tokenizer
        check_replacing(self.search, self.model, *tokenizers, sources=self.stream is None)
        packed = Ragged.of(inputs)
        results = [[Output("", 0.0)]] * len(inputs)
        for rows in self._batches(packed.lengths, batch_size):
            tokens, lengths = (tensor.to(self._device) for tensor in packed.padded(rows))
            found = self._search(tokens, lengths)
            if self.stream is None:
                own = [texts[row] for row in rows] if texts is not None else None
                outputs = written(self.search, self.model, tokenizers, tokens, lengths, own, found.tokens)
            else:
                outputs = [
                    [text_after(self.target_tokenizer, inputs[row], ids) for ids in n_best]
                    for row, n_best in zip(rows, found.tokens.tolist(), strict=True)
                ]
            for row, n_best, scores in zip(rows.tolist(), outputs, found.scores.tolist(), strict=True):
                results[row] = [
                    Output(text, score)
                    for rank, (text, score) in enumerate(zip(n_best, scores, strict=True))
                    if rank == 0 or score > -math.inf  # there may be fewer than were asked for
                ]
        return results

    def begin(self, given: Sequence[int]) -> tuple[Step, Selectable, Int[Tensor, " 1"]]:
        """Where the search for what comes of one encoded text begins: see `Seq2Seq.begin`."""
        tokens, lengths = (tensor.to(self._device) for tensor in Ragged.of([given]).padded(np.array([0])))
        if self.stream is None:
            return self.model.begin(tokens, lengths)
        return self.model.begin(*_nothing(tokens), tokens, self.stream.length)

    def _batches(self, lengths: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
        """Rows that go together: prompts only with others of their length, for nothing may stand after them."""
        order = np.argsort(lengths, kind="stable")
        order = order[lengths[order] > 0]
        for part in [order] if self.stream is None else np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
            yield from (part[start : start + batch_size] for start in range(0, len(part), batch_size))

    def _search(self, tokens: Int[Tensor, "B L"], lengths: Int[Tensor, " B"]) -> Hypotheses:
        if self.stream is None:
            return self.model.generate(tokens, lengths, self.search)
        search = self.stream.search(self.search)
        return self.model.generate(*_nothing(tokens), search, tokens, self.stream.length)


def _nothing(prompts: Int[Tensor, "B P"]) -> tuple[Int[Tensor, "B 1"], Int[Tensor, " B"]]:
    """Empty sources: those of texts that are continued."""
    return torch.full_like(prompts[:, :1], PAD), prompts.new_zeros(len(prompts))
