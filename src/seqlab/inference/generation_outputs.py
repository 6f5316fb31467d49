"""What a model says on its own of the rows of a split: answers to sources, or continuations of a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch

from seqlab.data.batch import Batch
from seqlab.data.module import SequenceData
from seqlab.data.text_pairs import TextPairs
from seqlab.decoding import Search
from seqlab.inference.streams import StreamFormat
from seqlab.inference.unknown_words import written
from seqlab.metrics.free_running import IdMetrics, TextMetrics, gathered
from seqlab.models.base import Seq2Seq
from seqlab.text.incremental_detokenizer import text_after
from seqlab.text.tokenizers import matches_one

CustomMetric = Callable[[list[str], list[list[str]]], float]
"""A metric of one's own: of all outputs and, for each, its references."""


@dataclass(frozen=True)
class Prediction:
    """What a model said of an example. `score` is the natural logarithm of its probability.

    `match` is None where there is nothing to match: a text can go on in many ways.
    """

    row: int
    source: str
    prediction: str
    reference: str
    score: float
    match: bool | None


class Answers:
    """Outputs generated from sources, measured as ids and, for texts, as text.

    An output matches if it is one of the source's known targets. BLEU and chrF are taken for datasets of texts.

    Args:
        own: metrics of one's own, by name.
    """

    def __init__(self, data: SequenceData, split: str, device: torch.device, own: Mapping[str, CustomMetric]) -> None:
        self._own = own
        self._texts_beside: list[tuple[str, list[str]]] = []  # outputs with their references, for metrics of one's own
        self.predictions: list[Prediction] = []
        self._data, self._split = data, split
        self._ids = IdMetrics(data.target_size, data.filler).to(device)
        self._texts: TextMetrics | None = None
        if isinstance(data, TextPairs):
            self._texts = TextMetrics(data.target_tokenizer.lower, data.bleu_tokenizer.name)

    def add(self, model: Seq2Seq, batch: Batch, search: Search) -> None:
        """Generates for each row of a batch, and measures; the best output counts."""
        found = model.generate(batch.source, batch.source_lengths, search)
        tokens, scores, rows = found.tokens[:, 0], found.scores[:, 0].tolist(), batch.rows.tolist()
        self._ids.update(tokens, batch.target)
        sources = [self._data.source_text(self._split, row) for row in rows]
        tokenizer = self._data.target_tokenizer
        tokenizers = self._data.source_tokenizer, tokenizer
        found_texts = written(search, model, tokenizers, batch.source, batch.source_lengths, sources, tokens[:, None])
        outputs = [texts[0] for texts in found_texts]
        references = [self._data.references(self._split, row) for row in rows]
        matches = [matches_one(tokenizer, output, own) for output, own in zip(outputs, references, strict=True)]
        if self._texts is not None:
            self._texts.update(outputs, references, matches)
        if self._own:
            self._texts_beside += zip(outputs, map(list, references), strict=True)
        for row, source, output, own, score, match in zip(
            rows, sources, outputs, references, scores, matches, strict=True
        ):
            self.predictions.append(Prediction(row, source, output, own[0], score, match))

    def metrics(self) -> dict[str, float]:
        """All metrics, by name, over the rows of all processes."""
        own = {}
        if self._own:
            outputs, references = map(list, zip(*gathered(self._texts_beside), strict=True))
            own = {name: float(metric(outputs, references)) for name, metric in self._own.items()}
        return self._ids.compute() | (self._texts.compute() if self._texts is not None else {}) | own

    def signatures(self) -> dict[str, str]:
        """sacrebleu's own signatures of its metrics."""
        return self._texts.signatures() if self._texts is not None else {}


class Continuations:
    """How a model goes on from the first halves of blocks of a stream, beside how the text goes on.

    To be read: nothing is measured, since a good continuation need not be that of the text.
    """

    def __init__(self, data: SequenceData, stream: StreamFormat) -> None:
        self.predictions: list[Prediction] = []
        self._tokenizer, self._stream = data.target_tokenizer, stream

    def add(self, model: Seq2Seq, batch: Batch, search: Search) -> None:
        """Continues each block of a batch up to its length."""
        for length in batch.target_lengths.unique().tolist():
            if length > 1:
                self._add(model, Batch(*(field[batch.target_lengths == length] for field in batch)), length, search)

    def _add(self, model: Seq2Seq, batch: Batch, length: int, search: Search) -> None:
        half, rest = length // 2, length - length // 2
        prompts, references = batch.target[:, :half], batch.target[:, half:length]
        search = self._stream.search(replace(search, max_length=rest, min_length=min(search.min_length, rest)))
        found = model.generate(batch.source, batch.source_lengths, search, prompts)
        for row, given, said, reference, score in zip(
            batch.rows.tolist(),
            prompts.tolist(),
            found.tokens[:, 0].tolist(),
            references.tolist(),
            found.scores[:, 0].tolist(),
            strict=True,
        ):
            texts = self._tokenizer.decode(given), self._text(given, said), self._text(given, reference)
            self.predictions.append(Prediction(row, *texts, score, None))

    def _text(self, given: list[int], ids: list[int]) -> str:
        return text_after(self._tokenizer, given, ids)

    def metrics(self) -> dict[str, float]:
        """None."""
        return {}

    def signatures(self) -> dict[str, str]:
        """None."""
        return {}


def stream_format(data: SequenceData) -> StreamFormat | None:
    """The stream that a dataset is cut from, if it is."""
    return None if data.has_bos_eos else StreamFormat(boundaries=data.boundaries, length=data.longest_target)


Outputs = Answers | Continuations


def outputs_of(data: SequenceData, split: str, device: torch.device, own: Mapping[str, CustomMetric]) -> Outputs:
    """Where to gather what a model says of a split: by what the dataset's targets are."""
    stream = stream_format(data)
    return Answers(data, split, device, own) if stream is None else Continuations(data, stream)
