"""Sampling: outputs drawn from the model's distribution, or from its most probable part.

B rows, N outputs per row, R unfinished rows, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqlab.checks import check_sizes
from seqlab.decoding.hypotheses import Hypotheses, Selectable, Step
from seqlab.decoding.search import Choose, Position, Stepwise, top


@dataclass(frozen=True, kw_only=True)
class Sample(Stepwise):
    """Ancestral sampling: each token is drawn from p(y_t | y_{<t}, x), optionally sharpened and truncated.

    p is raised to the power 1/temperature and normalised. Of the result, the `top_k` most probable tokens are kept (Fan
    et al. 2018, arXiv 1805.04833, section 5.2) and normalised again; of these, the fewest whose probabilities add up to
    at least `top_p` (the nucleus: Holtzman et al. 2020, arXiv 1904.09751, section 3.1).

    Scores are log-probabilities under the unmodified model, not under the distribution that is drawn from, so that they
    can be compared with those of other searches. The same seed gives the same outputs for the same batch: an output
    depends on the seed, its source and its position in the batch, not on the other rows. Every batch uses the same
    random numbers. The global random state is not used.

    Args:
        temperature: below 1 sharpens the distribution, above 1 flattens it.
        top_k: draw from this many most probable tokens (None: from all).
        top_p: draw from the fewest tokens whose probabilities add up to at least this (1: from all).
        n_best: outputs to draw for each row; the most probable one under the model comes first.
        seed: seed of the random numbers.

    Raises:
        ValueError: `temperature` outside 1e-6 to 1e6, `top_p` outside (0, 1], `top_k` or `n_best` below 1, or `seed`
            outside 0 to 2³² − 1.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    n_best: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes(top_k=self.top_k, n_best=self.n_best)
        if not 1e-6 <= self.temperature <= 1e6:
            raise ValueError(f"temperature must be 1e-6 to 1e6, but is {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be greater than 0 and at most 1, but is {self.top_p}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be an integer from 0 to 2³² − 1, but is {self.seed}")

    def chooser(self, start: Int[Tensor, " B"]) -> Choose:
        """Chooses tokens by this seed's random numbers."""
        # Drawn beforehand for all rows and positions, so that a row's numbers do not depend on when others finish,
        # and on the CPU, so that they are the same on every device.
        generator = torch.Generator().manual_seed(self.seed)
        draws = torch.rand(len(start), self.max_length, generator=generator).to(start.device)

        def choose(log_probabilities: Tensor, rows: Tensor, position: Position) -> Tensor:
            return self.drawn(log_probabilities, draws[rows, position])

        return choose

    def __call__(self, step: Step, state: Selectable, start: Int[Tensor, " B"]) -> Hypotheses:
        count = len(start)
        if self.n_best > 1:
            rows = torch.arange(count, device=start.device).repeat_interleave(self.n_best)
            state, start = state.select(rows), start[rows]
        outputs = self.follow(step, state, start)
        tokens, lengths, scores = (value.unflatten(0, (count, self.n_best)) for value in outputs)
        scores, order = scores.sort(dim=1, descending=True, stable=True)
        return Hypotheses(tokens.gather(1, order[..., None].expand_as(tokens)), lengths.gather(1, order), scores)

    def drawn(self, log_probabilities: Float[Tensor, "R V"], draws: Float[Tensor, " R"]) -> Int[Tensor, " R"]:
        """The tokens at which the cumulative distribution exceeds `draws`, which are uniform in [0, 1)."""
        ranked = None
        if self.top_k is not None or self.top_p < 1:
            log_probabilities, ranked = top(log_probabilities, self.top_k or log_probabilities.size(1))
        largest = log_probabilities.amax(dim=1, keepdim=True)
        probabilities = ((log_probabilities - largest) / self.temperature).softmax(dim=1)
        if self.top_p < 1:
            before = probabilities.cumsum(dim=1) - probabilities
            probabilities = probabilities.masked_fill(before >= self.top_p, 0.0)
        cumulated = probabilities.cumsum(dim=1)
        # A draw is at most 1 − 2⁻²⁴, so its product with the sum stays below the sum, and the chosen token has a
        # probability above 0.
        indices = torch.searchsorted(cumulated, draws[:, None] * cumulated[:, -1:], right=True)
        indices = indices.clamp(max=cumulated.size(1) - 1)  # logits of a model that has diverged may be NaN
        return (indices if ranked is None else ranked.gather(1, indices)).squeeze(1)
