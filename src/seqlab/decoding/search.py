"""What all searches share: limits on the length of an output, and generation token by token.

B rows, R unfinished rows, C candidates, K candidates that are kept, V vocabulary, L longest output.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from seqlab.checks import check_sizes
from seqlab.decoding.captured import FixedStep, captured, captured_tokens
from seqlab.decoding.hypotheses import Hypotheses, Selectable, Step
from seqlab.special_tokens import BOS, EOS, PAD

Position = int | Int[Tensor, " 1"]
"""Of a token in the output: a number, or a tensor where the search is captured."""

Choose = Callable[[Tensor, Tensor, Position], Tensor]
"""From log-probabilities (R, V), the rows (R,) that they belong to, and the position: the next token of each row."""

BLOCK = 64
"""Size of the blocks whose maxima are computed first in the search for the largest values."""


def top(values: Float[Tensor, "R C"], count: int) -> tuple[Float[Tensor, "R K"], Int[Tensor, "R K"]]:
    """The `count` largest values of each row (or all, if there are fewer) and their indices, largest first.

    Equal values are ordered by index; `torch.topk` does not guarantee which of them it takes.
    """
    if count >= values.size(1):
        return torch.sort(values, dim=1, descending=True, stable=True)
    if values.device.type != "cpu":
        return top_on_device(values, count)
    largest, indices = _largest(values, count + 1)
    indices = indices[:, :count].sort(dim=1).values
    undecided = largest[:, count] == largest[:, count - 1]  # equal values on both sides of the cut
    if undecided.any():
        indices[undecided] = torch.sort(values[undecided], dim=1, descending=True, stable=True).indices[:, :count]
    ordered, order = values.gather(1, indices).sort(dim=1, descending=True, stable=True)
    return ordered, indices.gather(1, order)


def _largest(values: Float[Tensor, "R C"], count: int) -> tuple[Float[Tensor, "R K"], Int[Tensor, "R K"]]:
    """As `torch.topk`, in half the time on a CPU.

    `topk` processes one number after another, a maximum many at a time. So it is applied only to the blocks of a row
    with the largest maxima, and to the rest of the row after the last block.
    """
    blocks = values.size(1) // BLOCK
    if blocks < 4 * count:
        return values.topk(count)
    blocked, rest = values.tensor_split([blocks * BLOCK], dim=1)
    blocked = blocked.unflatten(1, (blocks, BLOCK))
    chosen = blocked.amax(dim=2).topk(count, sorted=False).indices
    rows = torch.arange(len(values), device=values.device)[:, None]
    largest, indices = torch.cat([blocked[rows, chosen].flatten(1), rest], dim=1).topk(count)
    starts = F.pad(chosen * BLOCK, (0, 1), value=blocks * BLOCK)
    return largest, starts.gather(1, indices // BLOCK) + indices % BLOCK


def top_on_device(values: Float[Tensor, "R C"], count: int) -> tuple[Float[Tensor, "R K"], Int[Tensor, "R K"]]:
    """As `top`, without asking the device whether values are equal.

    Blocks are ranked by their maxima; of equal ones the first comes first. The largest values, and of equal ones the
    first, are then in the `count` best blocks or after the last block.
    """
    blocks = values.size(1) // BLOCK
    if blocks <= count:
        ordered, indices = torch.sort(values, dim=1, descending=True, stable=True)
        return ordered[:, :count], indices[:, :count]
    blocked, rest = values.tensor_split([blocks * BLOCK], dim=1)
    blocked = blocked.unflatten(1, (blocks, BLOCK))
    ranked = torch.sort(blocked.amax(dim=2), dim=1, descending=True, stable=True).indices
    chosen = ranked[:, :count].sort(dim=1).values
    within = blocked.take_along_dim(chosen[..., None], dim=1).flatten(1)
    ordered, indices = torch.sort(torch.cat([within, rest], dim=1), dim=1, descending=True, stable=True)
    ordered, indices = ordered[:, :count], indices[:, :count]
    starts = F.pad(chosen * BLOCK, (0, 1), value=blocks * BLOCK)
    block = (indices // BLOCK).clamp(max=count)
    return ordered, starts.gather(1, block) + indices - block * BLOCK


@dataclass(frozen=True, kw_only=True)
class Search(ABC):
    """A search for good outputs, called on a batch.

    Args:
        max_length: an output ends after this many tokens, EOS included, if it does not end by itself.
        min_length: an output has at least this many tokens, EOS not counted.
        replace_unknown: write an unknown word of an output as the source word with the most attention. The search
            itself ignores this; it is for the code that turns outputs into text.

    Raises:
        ValueError: `max_length` below 1, or `min_length` below 0 or above `max_length`.
    """

    max_length: int
    min_length: int = 0
    replace_unknown: bool = False

    def __post_init__(self) -> None:
        check_sizes(max_length=self.max_length)
        if not 0 <= self.min_length <= self.max_length:
            raise ValueError(f"min_length must be 0 to max_length ({self.max_length}), but is {self.min_length}")

    @abstractmethod
    def __call__(self, step: Step, state: Selectable, start: Int[Tensor, " B"]) -> Hypotheses:
        """Searches from the tokens `start` (BOS in every row) and the encoder's state."""

    def log_probabilities(self, logits: Float[Tensor, "R V"], position: Position) -> Float[Tensor, "R V"]:
        """The model's log-probabilities of each token at `position`, −∞ for tokens that are not allowed there.

        PAD and BOS are never allowed, EOS not before `min_length`. The others are not normalised again: their sums are
        log-probabilities of outputs under the model, as teacher forcing computes them.
        """
        log_probabilities = logits.to(torch.get_default_dtype()).log_softmax(dim=-1)  # never in half precision
        log_probabilities[:, PAD] = log_probabilities[:, BOS] = -torch.inf
        if isinstance(position, Tensor):
            if self.min_length:
                log_probabilities[:, EOS].masked_fill_(position < self.min_length, -torch.inf)
        elif position < self.min_length:
            log_probabilities[:, EOS] = -torch.inf
        return log_probabilities


class _FixedOutputs:
    """One output per row, token by token, in tensors that stay where they are."""

    def __init__(self, search: Stepwise, start: Int[Tensor, " B"]) -> None:
        self._search, self._choose = search, search.chooser(start)
        self._rows = torch.arange(len(start), device=start.device)
        self._position = start.new_empty(1)
        self._finished = torch.empty_like(start, dtype=torch.bool)
        self._tokens = start.new_empty(len(start), search.max_length)
        self._scores = torch.empty(len(start), device=start.device)
        self.last = torch.empty_like(start)

    def begin(self) -> None:
        """Forgets the outputs."""
        self._position.zero_()
        self._finished.fill_(False)
        self._tokens.fill_(PAD)
        self._scores.zero_()

    def advance(self, logits: Float[Tensor, "B V"], step: FixedStep) -> Tensor:
        """Rows that have finished go on, but what they generate then is not kept."""
        log_probabilities = self._search.log_probabilities(logits, self._position)
        chosen = self._choose(log_probabilities, self._rows, self._position)
        gained = log_probabilities.gather(1, chosen[:, None]).squeeze(1)
        self._scores.add_(gained.masked_fill_(self._finished, 0.0))
        ends = chosen == EOS
        if self._search.min_length:
            ends &= self._position >= self._search.min_length
        self._finished |= ends
        self._tokens.index_copy_(1, self._position, chosen.masked_fill(self._finished, PAD)[:, None])
        self.last.copy_(chosen)
        self._position.add_(1)
        return self._finished.all()

    def result(self) -> tuple[Int[Tensor, "B L"], Int[Tensor, " B"], Float[Tensor, " B"]]:
        """Tokens, lengths and scores, in tensors of their own."""
        lengths = (self._tokens != PAD).sum(dim=1)
        return self._tokens[:, : int(lengths.max())].clone(), lengths, self._scores.clone()


class Choice(NamedTuple):
    """One step of a stepwise search: the tokens that it has chosen, one for each unfinished row.

    `log_probabilities` are the model's own: also where a forced token was taken in place of the chosen one.
    """

    position: int
    rows: Int[Tensor, " R"]
    tokens: Int[Tensor, " R"]
    log_probabilities: Float[Tensor, "R V"]


class Stepwise(Search):
    """A search that commits to each token at once, so that outputs can be streamed."""

    @abstractmethod
    def chooser(self, start: Int[Tensor, " B"]) -> Choose:
        """The function that chooses the tokens of a batch. It depends on the number of rows, not on `start`'s values,
        since captured searches keep it for batches of the same size.
        """

    def stream(self, step: Step, state: Selectable, start: Int[Tensor, " 1"]) -> Iterator[int]:
        """Yields one output token by token: always `max_length` tokens, because EOS does not end a stream."""
        count = 0
        for outputs, _ in captured_tokens(self, step, state, start, lambda: _FixedOutputs(self, start)):
            count += 1
            yield int(outputs.last)
        if count < self.max_length:  # a search that cannot be captured begins again, and finds the same
            choices = self.choices(step, state, start, ends=False)
            yield from (int(one.tokens) for one in itertools.islice(choices, count, None))

    def follow(
        self, step: Step, state: Selectable, start: Int[Tensor, " B"]
    ) -> tuple[Int[Tensor, "B L"], Int[Tensor, " B"], Float[Tensor, " B"]]:
        """One output per row: tokens, lengths and scores. Rows that have finished leave the batch, unless the search is
        captured.
        """
        outputs = captured(self, step, state, start, lambda: _FixedOutputs(self, start))
        return self._token_by_token(step, state, start) if outputs is None else outputs.result()

    def choices(
        self, step: Step, state: Selectable, start: Int[Tensor, " B"], forced: Sequence[int] = (), ends: bool = True
    ) -> Iterator[Choice]:
        """Chooses token by token, for as long as the caller goes on asking.

        Args:
            forced: every output begins with these tokens, whatever the search would choose. What comes after them is
                chosen as if the search had chosen them, too.
            ends: rows that have finished leave the batch; else EOS is a token like any other.
        """
        choose, rows, last = self.chooser(start), torch.arange(len(start), device=start.device), start
        for position in range(self.max_length):
            logits, state = step(last, state)
            log_probabilities = self.log_probabilities(logits, position)
            if position < len(forced):
                last = torch.full_like(last, forced[position])
            else:
                last = choose(log_probabilities, rows, position)
            yield Choice(position, rows, last, log_probabilities)
            going = last != EOS
            if ends and position >= self.min_length and not going.all():
                keep = going.nonzero().squeeze(1)
                rows, last = rows[keep], last[keep]
                if not len(rows):
                    return
                state = state.select(keep)

    def _token_by_token(
        self, step: Step, state: Selectable, start: Int[Tensor, " B"]
    ) -> tuple[Int[Tensor, "B L"], Int[Tensor, " B"], Float[Tensor, " B"]]:
        tokens = start.new_full((len(start), self.max_length), PAD)
        lengths = torch.full_like(start, self.max_length)
        scores = torch.zeros(len(start), device=start.device)
        for position, rows, chosen, log_probabilities in self.choices(step, state, start):
            scores[rows] += log_probabilities.gather(1, chosen[:, None]).squeeze(1)
            tokens[rows, position] = chosen
            ended = chosen == EOS
            if position >= self.min_length and ended.any():
                lengths[rows[ended]] = position
                tokens[rows[ended], position] = PAD
        return tokens[:, : int(lengths.max())], lengths, scores
