"""Free-running outputs for the rows of a split: answers to sources, or continuations of a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch

from seqlab.data.batch import Batch
from seqlab.data.module import SequenceData
from seqlab.data.text_pairs import TextPairs
from seqlab.decoding import Search
from seqlab.inference.streams import StreamFormat
from seqlab.inference.unknown_words import outputs_as_text
from seqlab.metrics.free_running import IdMetrics, TextMetrics, gathered
from seqlab.models.base import Seq2Seq
from seqlab.stopwatch import Stopwatch
from seqlab.text.incremental_detokenizer import text_after
from seqlab.text.tokenizers import matches_one

CustomMetric = Callable[[list[str], list[list[str]]], float]
"""A user's metric: a function of all outputs and, for each output, its references."""


@dataclass(frozen=True)
class Prediction:
    """The output for an example. `score` is the natural logarithm of its probability.

    `match` is None for continuations: a text can be continued in many ways.
    """

    row: int
    source: str
    prediction: str
    reference: str
    score: float
    match: bool | None


class Answers:
    """Outputs generated from sources, with metrics of their ids and, for datasets of texts, BLEU and chrF.

    An output matches if it is one of the known targets of its source.

    Args:
        custom: custom metrics, by name.
    """

    def __init__(
        self, data: SequenceData, split: str, device: torch.device, custom: Mapping[str, CustomMetric]
    ) -> None:
        self._custom = custom
        self._for_custom: list[tuple[str, list[str]]] = []  # outputs with their references
        self.predictions: list[Prediction] = []
        self._data, self._split = data, split
        self._ids = IdMetrics(data.target_size, data.filler).to(device)
        self._texts: TextMetrics | None = None
        if isinstance(data, TextPairs):
            self._texts = TextMetrics(data.target_tokenizer.lower, data.bleu_tokenizer.name)

    def add(self, model: Seq2Seq, batch: Batch, search: Search, watch: Stopwatch) -> None:
        """Generates for each row of a batch, and updates the metrics with the best output of each.

        Args:
            watch: runs until the outputs are text.
        """
        rows, tokenizer = batch.rows.tolist(), self._data.target_tokenizer
        sources = [self._data.source_text(self._split, row) for row in rows]
        with watch:
            hypotheses = model.generate(batch.source, batch.source_lengths, search)
            tokens, scores = hypotheses.tokens[:, 0], hypotheses.scores[:, 0].tolist()
            n_best = outputs_as_text(
                search,
                model,
                (self._data.source_tokenizer, tokenizer),
                batch.source,
                batch.source_lengths,
                sources,
                tokens[:, None],
            )
        self._ids.update(tokens, batch.target)
        outputs = [texts[0] for texts in n_best]
        references = [self._data.references(self._split, row) for row in rows]
        matches = [
            matches_one(tokenizer, output, accepted) for output, accepted in zip(outputs, references, strict=True)
        ]
        if self._texts is not None:
            self._texts.update(outputs, references, matches)
        if self._custom:
            self._for_custom += zip(outputs, map(list, references), strict=True)
        for row, source, output, accepted, score, match in zip(
            rows, sources, outputs, references, scores, matches, strict=True
        ):
            self.predictions.append(Prediction(row, source, output, accepted[0], score, match))

    def metrics(self) -> dict[str, float]:
        """All metrics, by name, over the rows of all processes."""
        custom = {}
        if self._custom:
            outputs, references = map(list, zip(*gathered(self._for_custom), strict=True))
            custom = {name: float(metric(outputs, references)) for name, metric in self._custom.items()}
        return self._ids.compute() | (self._texts.compute() if self._texts is not None else {}) | custom

    def signatures(self) -> dict[str, str]:
        """sacrebleu's signatures of its metrics."""
        return self._texts.signatures() if self._texts is not None else {}


class Continuations:
    """The model's continuations of the first halves of a stream's blocks, with the second halves as references.

    They are samples to read and have no metrics, since a good continuation need not be that of the text.
    """

    def __init__(self, data: SequenceData, stream: StreamFormat) -> None:
        self.predictions: list[Prediction] = []
        self._tokenizer, self._stream = data.target_tokenizer, stream

    def add(self, model: Seq2Seq, batch: Batch, search: Search, watch: Stopwatch) -> None:
        """Continues the first half of each block to the block's length, while `watch` runs."""
        with watch:
            for length in batch.target_lengths.unique().tolist():
                if length > 1:
                    rows = Batch(*(field[batch.target_lengths == length] for field in batch))
                    self._add(model, rows, length, search)

    def _add(self, model: Seq2Seq, batch: Batch, length: int, search: Search) -> None:
        half, rest = length // 2, length - length // 2
        prompts, references = batch.target[:, :half], batch.target[:, half:length]
        search = self._stream.search(replace(search, max_length=rest, min_length=min(search.min_length, rest)))
        hypotheses = model.generate(batch.source, batch.source_lengths, search, prompts)
        for row, prompt, output, reference, score in zip(
            batch.rows.tolist(),
            prompts.tolist(),
            hypotheses.tokens[:, 0].tolist(),
            references.tolist(),
            hypotheses.scores[:, 0].tolist(),
            strict=True,
        ):
            texts = self._tokenizer.decode(prompt), self._text(prompt, output), self._text(prompt, reference)
            self.predictions.append(Prediction(row, *texts, score, None))

    def _text(self, prompt: list[int], ids: list[int]) -> str:
        return text_after(self._tokenizer, prompt, ids)

    def metrics(self) -> dict[str, float]:
        """Empty: continuations have no metrics."""
        return {}

    def signatures(self) -> dict[str, str]:
        """Empty: continuations have no metrics."""
        return {}


def stream_format(data: SequenceData) -> StreamFormat | None:
    """The format of the stream that a dataset is cut from; None for pairs of source and target."""
    return None if data.has_bos_eos else StreamFormat(boundaries=data.boundaries, length=data.longest_target)


Outputs = Answers | Continuations


def outputs_of(data: SequenceData, split: str, device: torch.device, custom: Mapping[str, CustomMetric]) -> Outputs:
    """An empty collection of outputs for a split: `Answers` if the dataset has sources, else `Continuations`."""
    stream = stream_format(data)
    return Answers(data, split, device, custom) if stream is None else Continuations(data, stream)
