"""Beam search: several hypotheses of each row at once.

B rows, A unfinished rows, H unfinished hypotheses of all rows, N outputs per row, K continuations kept per row,
V vocabulary, T tokens so far, L longest output.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seqlab.checks import check_sizes
from seqlab.decoding.captured import FixedStep, captured
from seqlab.decoding.hypotheses import Hypotheses, Selectable, Step
from seqlab.decoding.search import Search, top
from seqlab.special_tokens import EOS, PAD


class Live(NamedTuple):
    """Unfinished hypotheses: those of a row are consecutive, best first."""

    rows: Int[Tensor, " H"]
    tokens: Int[Tensor, "H T"]
    scores: Float[Tensor, " H"]


class Candidates(NamedTuple):
    """The best continuations of each unfinished row, best first: the hypothesis each comes from, and its next token.

    If a row has fewer than K, the last ones score −∞ (and their other values mean nothing).
    """

    rows: Int[Tensor, " A"]
    origins: Int[Tensor, "A K"]
    tokens: Int[Tensor, "A K"]
    scores: Float[Tensor, "A K"]


class Expansion(NamedTuple):
    """One step of a beam search: how the unfinished hypotheses `live` go on.

    Of the `candidates` those that `ended` are outputs, and those `going` are the next step's `live`, in this order; the
    others can no longer get among the n best. `log_probabilities` are those of every possible next token.
    """

    live: Live
    log_probabilities: Float[Tensor, "H V"]
    candidates: Candidates
    ended: Bool[Tensor, "A K"]
    going: Bool[Tensor, "A K"]


class Finished:
    """The best outputs of each row so far, ordered by rank, which is the penalised score (−∞ if there is none yet)."""

    def __init__(self, start: Int[Tensor, " B"], n_best: int, max_length: int) -> None:
        self.tokens = start.new_empty(len(start), n_best, max_length)
        self.lengths = start.new_empty(len(start), n_best)
        self.scores = torch.empty(len(start), n_best, device=start.device)
        self.ranks = torch.empty_like(self.scores)
        self.clear()

    def clear(self) -> None:
        """Forgets all outputs."""
        self.tokens.fill_(PAD)
        self.lengths.zero_()
        self.scores.fill_(-torch.inf)
        self.ranks.fill_(-torch.inf)

    def result(self) -> Hypotheses:
        """The outputs, in tensors of their own."""
        longest = int(self.lengths.max())
        return Hypotheses(self.tokens[..., :longest].clone(), self.lengths.clone(), self.scores.clone())

    def add(
        self,
        rows: Int[Tensor, " A"],
        tokens: Int[Tensor, "A K T"],
        scores: Float[Tensor, "A K"],
        ranks: Float[Tensor, "A K"],
    ) -> None:
        """Adds outputs of these rows, which may end with EOS; those with rank −∞ are ignored."""
        outputs = tokens.new_full((*tokens.shape[:2], self.tokens.size(2)), PAD)
        outputs[..., : tokens.size(2)] = tokens.masked_fill(tokens == EOS, PAD)
        candidates = torch.cat([self.ranks[rows], ranks], dim=1)
        ordered, order = top(candidates, self.ranks.size(1))  # in a tie, the output that was finished first
        self.ranks[rows] = ordered
        self.scores[rows] = torch.cat([self.scores[rows], scores], dim=1).gather(1, order)
        self.lengths[rows] = torch.cat([self.lengths[rows], (outputs != PAD).sum(-1)], dim=1).gather(1, order)
        self.tokens[rows] = torch.cat([self.tokens[rows], outputs], dim=1).take_along_dim(order[..., None], dim=1)


def only(log_probabilities: Float[Tensor, "H V"], token: int) -> Float[Tensor, "H V"]:
    """The log-probabilities of this token, and −∞ for all others."""
    result = torch.full_like(log_probabilities, -torch.inf)
    result[:, token] = log_probabilities[:, token]
    return result


def block_repeats(log_probabilities: Float[Tensor, "H V"], tokens: Int[Tensor, "H T"], size: int) -> None:
    """Sets to −∞, in place, tokens that would complete an n-gram of `size` that is in `tokens` already."""
    if tokens.size(1) < size:
        return
    grams = tokens.unfold(1, size, 1)
    begun = tokens[:, tokens.size(1) - size + 1 :]
    hypotheses, positions = (grams[..., :-1] == begun[:, None]).all(dim=-1).nonzero(as_tuple=True)
    log_probabilities[hypotheses, grams[hypotheses, positions, -1]] = -torch.inf


def block_repeats_on_device(
    log_probabilities: Float[Tensor, "H V"], tokens: Int[Tensor, "H L"], position: Int[Tensor, " 1"], size: int
) -> None:
    """As `block_repeats`, for outputs that end before the column `position`; does not ask the device where any are."""
    if tokens.size(1) < size:
        return
    grams = tokens.unfold(1, size, 1)
    before = torch.arange(1 - size, 0, device=tokens.device)
    begun = tokens.index_select(1, (position + before).clamp(min=0))
    within = torch.arange(grams.size(1), device=tokens.device) + size <= position
    repeated = (grams[..., :-1] == begun[:, None]).all(dim=-1) & within
    blocked = log_probabilities.new_zeros(repeated.shape).masked_fill_(repeated, -torch.inf)
    log_probabilities += torch.zeros_like(log_probabilities).scatter_reduce_(1, grams[..., -1], blocked, "amin")


class _FixedBeam:
    """A beam in tensors that stay where they are: K hypotheses of each row, of which the finished ones score −∞."""

    def __init__(self, search: Beam, start: Int[Tensor, " B"]) -> None:
        count, longest, device = len(start), search.max_length, start.device
        self._search = search
        self._rows = torch.arange(count, device=device)
        self._penalties = torch.tensor([search.penalty(length) for length in range(1, longest + 1)], device=device)
        self._position = start.new_empty(1)
        self._tokens = start.new_empty(count * search.size, longest)
        self._scores = torch.empty(count, search.size, device=device)
        self.last = start.new_empty(count * search.size)
        self.finished = Finished(start, search.n_best, longest)

    def begin(self) -> None:
        """The hypotheses of a row are equal: all but one are left out."""
        self.finished.clear()
        self._position.zero_()
        self._tokens.fill_(PAD)
        self._scores.fill_(-torch.inf)[:, 0] = 0.0

    def advance(self, logits: Float[Tensor, "H V"], step: FixedStep) -> Tensor:
        """As the loop in `Beam`, but hypotheses that have left stay where they are."""
        search, count = self._search, len(self._rows)
        log_probabilities = search.log_probabilities(logits, self._position)
        if search.block_repeats:
            block_repeats_on_device(log_probabilities, self._tokens, self._position, search.block_repeats)
        values, tokens = top(log_probabilities, search.size)
        scores = self._scores.flatten()[:, None] + values
        best, indices = top(scores.reshape(count, -1), search.size)
        origins = (self._rows[:, None] * search.size + indices // values.size(1)).flatten()
        chosen = tokens.reshape(count, -1).gather(1, indices)
        self._tokens.copy_(self._tokens.index_select(0, origins))
        self._tokens.index_copy_(1, self._position, chosen.reshape(-1, 1))
        ended = (chosen == EOS) | (self._position + 1 == search.max_length)
        ranks = best / self._penalties.index_select(0, self._position)
        texts = self._tokens.unflatten(0, (count, search.size))
        self.finished.add(self._rows, texts, best, ranks.masked_fill(~ended, -torch.inf))
        left = ended | ~(best / self._penalties[-1:] > self.finished.ranks[:, -1:])
        self._scores.copy_(best.masked_fill(left, -torch.inf))
        self.last.copy_(chosen.flatten())
        step.select(origins)
        self._position.add_(1)
        return left.all()


@dataclass(frozen=True, kw_only=True)
class Beam(Search):
    """Beam search: each step keeps the `size` most probable of all continuations of a row's hypotheses.

    Those that end with EOS, or reach `max_length`, are finished; the others continue. Finished ones are ranked by

        log p(Y | x) / lp(Y),  lp(Y) = ((5 + |Y|) / 6)^α

    where |Y| counts EOS and α is `length_penalty` (Wu et al. 2016, arXiv 1609.08144, section 7, without its coverage
    penalty). α = 0 ranks by probability, which favours short outputs; the larger α, the longer the outputs. The search
    returns the first `n_best` with log p(Y | x) as their scores, so with a penalty scores need not decrease.

    A hypothesis leaves the batch when it can no longer get among the n best: its score can only fall and its length
    can grow to `max_length` at most, so its rank stays at or below score / lp(max_length). This bound falls with the
    score, so whatever the hypothesis would have pushed out of the beam cannot get there either: leaving early changes
    no result. A row leaves with its last hypothesis, not when a certain number have finished.

    In a tie, the continuation of the better hypothesis is kept, then the one with the lower token id, so that a beam of
    size 1 is greedy search. A beam needs `size` copies of a decoder's state, except for parts that hypotheses can
    share, such as the encoder's outputs.

    Args:
        size: hypotheses to keep for each row.
        n_best: outputs to return for each row.
        length_penalty: the exponent α; 0 for none.
        block_repeats: no n-gram of this size appears twice in an output; 0 for no such rule.

    Raises:
        ValueError: `size` or `n_best` below 1, `n_best` above `size`, `length_penalty` outside 0 to 10, or a negative
            `block_repeats`.
    """

    size: int = 5
    n_best: int = 1
    length_penalty: float = 0.6
    block_repeats: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes(size=self.size, n_best=self.n_best)
        if self.n_best > self.size:
            raise ValueError(f"n_best must be at most size ({self.size}), but is {self.n_best}")
        if not 0 <= self.length_penalty <= 10:
            raise ValueError(f"length_penalty must be 0 to 10, but is {self.length_penalty}")
        if self.block_repeats < 0:
            raise ValueError(f"block_repeats must be at least 0, but is {self.block_repeats}")

    def __call__(self, step: Step, state: Selectable, start: Int[Tensor, " B"]) -> Hypotheses:
        beam = captured(self, step, state, start, lambda: _FixedBeam(self, start), copies=self.size)
        return self._token_by_token(step, state, start) if beam is None else beam.finished.result()

    def _token_by_token(self, step: Step, state: Selectable, start: Int[Tensor, " B"]) -> Hypotheses:
        finished = Finished(start, self.n_best, self.max_length)
        for _ in self.expansions(step, state, start, finished):
            pass
        return finished.result()

    def expansions(
        self, step: Step, state: Selectable, start: Int[Tensor, " B"], finished: Finished, forced: Sequence[int] = ()
    ) -> Iterator[Expansion]:
        """Searches step by step, for as long as the caller goes on asking, and adds the outputs to `finished`.

        Args:
            forced: every output begins with these tokens.
        """
        live = Live(
            torch.arange(len(start), device=start.device),
            start.new_empty(len(start), 0),
            torch.zeros(len(start), device=start.device),
        )
        last = start
        for position in range(self.max_length):
            logits, state = step(last, state)
            log_probabilities = self.log_probabilities(logits, position)
            if position < len(forced):
                log_probabilities = only(log_probabilities, forced[position])
            best = self.candidates(live, log_probabilities)
            ended = best.tokens.eq(EOS) if position + 1 < self.max_length else torch.ones_like(best.tokens).bool()
            texts = torch.cat([live.tokens[best.origins], best.tokens[..., None]], dim=-1)
            if ended.any():
                ranks = best.scores / self.penalty(position + 1)
                finished.add(best.rows, texts, best.scores, ranks.masked_fill(~ended, -torch.inf))
            within_reach = best.scores / self.penalty(self.max_length) > finished.ranks[best.rows, -1:]
            going = ~ended & within_reach
            yield Expansion(live, log_probabilities, best, ended, going)
            if not going.any():
                return
            origins, last = best.origins[going], best.tokens[going]
            live = Live(live.rows[origins], texts[going], best.scores[going])
            if not torch.equal(origins, torch.arange(len(logits), device=origins.device)):
                state = state.select(origins)

    def candidates(self, live: Live, log_probabilities: Float[Tensor, "H V"]) -> Candidates:
        """The `size` best continuations of each row, given the next token's log-probabilities of each hypothesis."""
        if self.block_repeats:
            block_repeats(log_probabilities, live.tokens, self.block_repeats)
        # A row's best are among the best of each of its hypotheses.
        values, tokens = top(log_probabilities, self.size)
        rows, counts = live.rows.unique_consecutive(return_counts=True)
        firsts = counts.cumsum(0) - counts
        hypotheses = torch.arange(len(live.rows), device=rows.device)
        row = torch.arange(len(rows), device=rows.device).repeat_interleave(counts)
        scores = values.new_full((len(rows), int(counts.max()), values.size(1)), -torch.inf)
        scores[row, hypotheses - firsts[row]] = live.scores[:, None] + values
        best, indices = top(scores.flatten(1), self.size)
        origins = (firsts[:, None] + indices // values.size(1)).clamp(max=len(hypotheses) - 1)
        return Candidates(rows, origins, tokens[origins, indices % values.size(1)], best)

    def penalty(self, length: int) -> float:
        """lp of an output of so many tokens."""
        return ((5 + length) / 6) ** self.length_penalty
