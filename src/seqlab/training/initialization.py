"""A model before its first step: matrices drawn by a scheme, weights of another run, frozen parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from hydra_pruning_sweeper.differences import differences, listed
from seqlab.arguments import with_defaults
from seqlab.config.component import Component
from seqlab.config.data_and_model import model_settings
from seqlab.config.settings import TrainSettings
from seqlab.data.module import SequenceData
from seqlab.errors import InputError
from seqlab.hub_models import local_copy
from seqlab.inference import bundle
from seqlab.kinds import MODELS, Trust
from seqlab.models.base import Seq2Seq

SCHEMES: dict[str, tuple[Callable[[Tensor, float], Tensor], float]] = {
    "xavier_uniform": (nn.init.xavier_uniform_, 1.0),
    "xavier_normal": (nn.init.xavier_normal_, 1.0),
    "kaiming_uniform": (lambda matrix, gain: nn.init.kaiming_uniform_(matrix).mul_(gain), 1.0),
    "kaiming_normal": (lambda matrix, gain: nn.init.kaiming_normal_(matrix).mul_(gain), 1.0),
    "orthogonal": (nn.init.orthogonal_, 1.0),
    "uniform": (lambda matrix, bound: nn.init.uniform_(matrix, -bound, bound), 0.08),
    "normal": (lambda matrix, deviation: nn.init.normal_(matrix, std=deviation), 0.02),
}
"""For each scheme, a function that fills a matrix with a given scale, and the default scale."""

MAY_DIFFER = ("dropout", "max_positions", "sources")
"""Settings of a model that may differ from those its weights were trained with. Some affect the shapes of the weights,
which are compared separately."""


def initialize(model: Seq2Seq, data: SequenceData, settings: TrainSettings, resumed: bool) -> None:
    """Initializes the model's weights and freezes parameters, as the settings say.

    In a resumed run the weights of the checkpoint replace them, so `initial_weights` is not read.

    Raises:
        InputError: settings that cannot be used, or weights that do not fit.
    """
    initialisation: Initialisation = settings.initialisation.build_as(Initialisation)
    path = settings.initial_weights
    if initialisation.scheme is not None and path is not None:
        raise InputError(
            f"initial_weights ({path}) and initialisation.scheme ({initialisation.scheme}) exclude each other"
        )
    initialisation(model)
    if path is not None and not resumed:
        take_weights(model, data, settings.model, path, settings.trust)
    freeze(model, settings.freeze)


@dataclass(frozen=True)
class Initialisation:
    """Draws all matrices of a model (embeddings and convolution kernels too, but no biases or norms) by one scheme.

    The gates of a recurrent layer count as one matrix. PAD's embedding stays zero.

    Args:
        scheme: xavier_uniform or xavier_normal (Glorot & Bengio 2010), kaiming_uniform or kaiming_normal (He et al.
            2015, arXiv 1502.01852, for ReLU), orthogonal (Saxe et al. 2014, arXiv 1312.6120), uniform, normal; None
            keeps the architecture's own initialisation.
        scale: the bound of uniform, the standard deviation of normal, the gain of the others; None means 0.08, 0.02
            and 1.

    Raises:
        ValueError: an unknown scheme, a scale that is not above 0, or a scale without a scheme.
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
        """Draws the matrices of `model` in place."""
        if self.scheme is None:
            return
        draw, default_scale = SCHEMES[self.scheme]
        for parameter in model.parameters():
            if parameter.dim() >= 2:
                draw(parameter, self.scale or default_scale)
        for module in model.modules():
            if isinstance(module, nn.Embedding) and module.padding_idx is not None:
                module.weight[module.padding_idx] = 0


def take_weights(model: Seq2Seq, data: SequenceData, component: Component, path: str, trust: Trust) -> None:
    """Copies the weights of a bundle, a run or a model on the hub into `model`, built from `component`.

    The bundle's model must be of the same architecture with the same settings and vocabularies: that the shapes of the
    weights agree is not enough, for they may do so by chance. The examples may be others, and so may the settings in
    `MAY_DIFFER`.

    Raises:
        InputError: no bundle there, or one of another model or of other vocabularies; the message says what differs.
    """
    try:
        folder = local_copy(path)
        other = bundle.load(folder, trust)
        kind, settings = bundle.named_model(folder)
    except InputError as error:
        raise InputError(f"initial_weights: {error}") from None
    for side in ("source", "target"):
        theirs, ours = (getattr(one, f"{side}_tokenizer").vocabulary() for one in (other, data))
        if differing := differences(theirs, ours):
            raise InputError(
                f"initial_weights: {path}: its {side} vocabulary is not the data's ({listed(differing)}); fine-tune it"
                " on data with the tokenizers that it was trained with"
            )
    old = _description(other.model, kind, settings)
    new = _description(model, MODELS.of(type(model)), model_settings(component, data))
    if differing := differences(old, new):
        raise InputError(f"initial_weights: {path} is of another model: {listed(differing)}; set these as they were")
    model.load_state_dict(other.model.state_dict())


def _description(model: Seq2Seq, kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What must be equal for a model to take another's weights; settings by the names that a user types."""
    complete = with_defaults(type(model), settings)
    compared = {f"model.{name}": value for name, value in complete.items() if name not in MAY_DIFFER}
    shapes = {f"shape of {name}": tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    return {"model": kind, **compared, **shapes}


def freeze(model: nn.Module, patterns: Sequence[str]) -> None:
    """Freezes the parameters whose own names, or whose modules' names, match one of the `fnmatch` patterns.

    Raises:
        InputError: a pattern matches nothing, or every parameter is frozen.
    """
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        chosen = [name for name in parameters if fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")]
        if not chosen:
            parts = ", ".join(dict.fromkeys(name.partition(".")[0] for name in parameters))
            raise InputError(f"freeze: no parameter matches {pattern!r}; the model's parts are {parts}")
        for name in chosen:
            parameters[name].requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError(f"freeze: nothing is left to train with {', '.join(patterns)}")
