"""How a model starts: its matrices drawn by a scheme, the weights of another run, parts that stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from omegaconf import DictConfig, ListConfig
from torch import Tensor, nn

from seqlab.data.module import SequenceData
from seqlab.errors import InputError
from seqlab.models.base import Seq2Seq
from seqlab.training import bundle
from seqlab.training.build import build_settings

SCHEMES: dict[str, tuple[Callable[[Tensor, float], Tensor], float]] = {
    "xavier_uniform": (nn.init.xavier_uniform_, 1.0),
    "xavier_normal": (nn.init.xavier_normal_, 1.0),
    "kaiming_uniform": (lambda matrix, gain: nn.init.kaiming_uniform_(matrix).mul_(gain), 1.0),
    "kaiming_normal": (lambda matrix, gain: nn.init.kaiming_normal_(matrix).mul_(gain), 1.0),
    "orthogonal": (nn.init.orthogonal_, 1.0),
    "uniform": (lambda matrix, bound: nn.init.uniform_(matrix, -bound, bound), 0.08),
    "normal": (lambda matrix, deviation: nn.init.normal_(matrix, std=deviation), 0.02),
}
"""How to draw a matrix with a scale, and the scale that is customary."""


def start(model: Seq2Seq, data: SequenceData, config: DictConfig, resumed: bool) -> None:
    """Gives the model its first weights, as `config` says; those of a run that is resumed come from its checkpoint.

    Raises:
        InputError: settings that cannot be used, or weights that do not fit.
    """
    initialisation: Initialisation = build_settings(Initialisation, config.initialisation, "initialisation")
    if initialisation.scheme is not None and config.initial_weights is not None:
        raise InputError(
            f"initial_weights ({config.initial_weights}) and initialisation.scheme ({initialisation.scheme}) exclude"
            " each other"
        )
    initialisation(model)
    if config.initial_weights is not None and not resumed:
        take_weights(model, data, config.initial_weights)
    patterns = [config.freeze] if isinstance(config.freeze, str) else config.freeze
    if not isinstance(patterns, ListConfig | list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise InputError(f"freeze must be a list of names, but is {config.freeze!r}")
    freeze(model, patterns)


@dataclass(frozen=True)
class Initialisation:
    """Draws all matrices of a model (embeddings and kernels too, biases and norms not) by one scheme.

    The gates of a recurrent layer are one matrix. PAD's embedding stays zero.

    Args:
        scheme: xavier_uniform or xavier_normal (Glorot & Bengio 2010), kaiming_uniform or kaiming_normal (He et al.
            2015, arXiv 1502.01852, for ReLU), orthogonal (Saxe et al. 2014, arXiv 1312.6120), uniform, normal; None
            leaves the architecture's own.
        scale: the bound of uniform, the standard deviation of normal, a gain of the others; None is 0.08, 0.02, 1.

    Raises:
        ValueError: an unknown scheme, or a scale that is not above 0 or belongs to none.
    """

    scheme: str | None = None
    scale: float | None = None

    def __post_init__(self) -> None:
        if self.scheme is not None and self.scheme not in SCHEMES:
            raise ValueError(f"scheme must be null or one of {', '.join(SCHEMES)}, but is {self.scheme!r}")
        if self.scale is not None and (self.scheme is None or self.scale <= 0):
            raise ValueError(f"scale must be above 0 and belong to a scheme, but is {self.scale} of {self.scheme}")

    @torch.no_grad()
    def __call__(self, model: nn.Module) -> None:
        """Draws them."""
        if self.scheme is None:
            return
        draw, customary = SCHEMES[self.scheme]
        for parameter in model.parameters():
            if parameter.dim() >= 2:
                draw(parameter, self.scale or customary)
        for module in model.modules():
            if isinstance(module, nn.Embedding) and module.padding_idx is not None:
                module.weight[module.padding_idx] = 0


def take_weights(model: Seq2Seq, data: SequenceData, path: str) -> None:
    """Copies the weights of the bundle at `path`, or of the run in that folder, into `model`.

    Raises:
        InputError: no bundle there, other vocabularies than the data's, or a model of other parts or sizes.
    """
    try:
        other = bundle.load(str(path))
    except InputError as error:
        raise InputError(f"initial_weights: {error}") from None
    for side in ("source", "target"):
        if getattr(other, f"{side}_tokenizer").vocabulary() != getattr(data, f"{side}_tokenizer").vocabulary():
            raise InputError(f"initial_weights: {path}: its {side} vocabulary is not the data's")
    here, there = ({name: tuple(t.shape) for name, t in one.state_dict().items()} for one in (model, other.model))
    reasons = [f"{name} is only there" for name in there if name not in here]
    reasons += [f"{name} is only here" for name in here if name not in there]
    reasons += [
        f"{name} is {there[name]} there, but {size} here"
        for name, size in here.items()
        if name in there and there[name] != size
    ]
    if reasons:
        more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        raise InputError(f"initial_weights: {path} does not fit the model: {reasons[0]}{more}")
    model.load_state_dict(other.model.state_dict())


def freeze(model: nn.Module, patterns: Sequence[str]) -> None:
    """Leaves parameters out of training whose names, or whose modules' names, match a pattern (of fnmatch).

    Raises:
        InputError: a pattern that matches nothing, or nothing left to train.
    """
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        chosen = [name for name in parameters if fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")]
        if not chosen:
            parts = ", ".join(dict.fromkeys(name.partition(".")[0] for name in parameters))
            raise InputError(f"freeze: no parameter is named {pattern!r}; the model's parts are {parts}")
        for name in chosen:
            parameters[name].requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError(f"freeze: nothing is left to train with {', '.join(patterns)}")
