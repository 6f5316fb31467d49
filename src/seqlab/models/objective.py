"""The training objective: the loss, and the decoder input (teacher forcing or scheduled sampling).

B batch, T target length, V target vocabulary; "*P" is B and T, or the N positions without padding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqlab.layers.state import State
from seqlab.metrics.teacher_forced import at_least_single, token_loss
from seqlab.special_tokens import BOS, PAD


@dataclass(frozen=True)
class Objective:
    """The training objective; by default the cross-entropy of each target token given all earlier ones.

    For a custom loss, subclass it with another `losses` and name the class in the setting `objective._target_`.

    Args:
        label_smoothing: ε of Szegedy et al. (2016, arXiv 1512.00567, section 7); see `token_losses`. The reported loss
            is still the plain cross-entropy.
        teacher_forcing: share of the decoder inputs that are target tokens; the others are the decoder's predictions
            (scheduled sampling), see `sampled_logits`. Below 1 targets are decoded step by step, which is slower.

    Raises:
        ValueError: a share is out of range.
    """

    label_smoothing: float = 0.0
    teacher_forcing: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must be at least 0 and below 1, but is {self.label_smoothing}")
        if not 0 <= self.teacher_forcing <= 1:
            raise ValueError(f"teacher_forcing must be 0 to 1, but is {self.teacher_forcing}")

    @property
    def is_cross_entropy(self) -> bool:
        """Whether the objective is the plain cross-entropy."""
        return type(self) is Objective and self.label_smoothing == 0

    def losses(
        self, logits: Float[Tensor, "*P V"], labels: Int[Tensor, "*P"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The objective and the plain cross-entropy, each summed over the labels that are not padding, in nats.

        Training divides both by the number of those labels.
        """
        return token_losses(logits, labels, self.label_smoothing)


def token_losses(
    logits: Float[Tensor, "*P V"], target: Int[Tensor, "*P"], label_smoothing: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Cross-entropy with smoothed labels, and with the labels themselves; in nats, summed over target tokens.

    Labels are smoothed with a uniform prior (Szegedy et al. 2016, section 7):

    Σ_{t: y_t ≠ PAD} [ (1 − ε) (−log p(y_t)) + ε Σ_v (1 / V) (−log p(v)) ]

    The V classes are all ids of the vocabulary, the special symbols included.
    """
    if label_smoothing == 0:
        plain = token_loss(logits, target)
        return plain, plain
    kept = target != PAD
    log_probabilities = at_least_single(logits).log_softmax(dim=-1)  # once for both terms: memory traffic dominates
    plain = -(log_probabilities.gather(-1, target[..., None]).squeeze(-1) * kept).sum()
    uniform = -(log_probabilities.mean(dim=-1) * kept).sum()  # −Σ_v (1 / V) log p(v)
    return (1 - label_smoothing) * plain + label_smoothing * uniform, plain


def sampled_logits(
    decode: Callable[[Tensor, State], tuple[Tensor, State]],
    state: State,
    tokens: Int[Tensor, "B T"],
    teacher_forcing: float,
) -> Float[Tensor, "B T V"]:
    """Scheduled sampling (Bengio et al. 2015, arXiv 1506.03099, section 2.4): logits of a decoder that partly reads its
    own predictions.

    The decoder input is the first of `tokens` (BOS) and then, at each step and in each row, the token of the target
    with probability `teacher_forcing`, else the most probable token of the step before (never PAD or BOS, as in
    search). No gradient flows through that choice.
    """
    forced = torch.rand(tokens.shape, device=tokens.device) < teacher_forcing
    forced[:, 0] = True
    steps, predicted = [], tokens[:, 0]
    for target, is_forced in zip(tokens.unbind(1), forced.unbind(1), strict=True):
        logits, state = decode(torch.where(is_forced, target, predicted)[:, None], state)
        steps.append(logits)
        allowed = logits[:, -1].detach().clone()
        allowed[:, PAD] = allowed[:, BOS] = -torch.inf
        predicted = allowed.argmax(dim=-1)
    return torch.cat(steps, dim=1)
