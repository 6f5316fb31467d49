"""Where a language model looks in its own text: for one token at a time, because a whole text has far too many."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from seqlab.decoding import Step
from seqlab.decoding.hypotheses import Selectable
from seqlab.decoding.window import tokens_held
from seqlab.errors import InputError
from seqlab.inference.predictor import Predictor
from seqlab.layers.attention import captured_attention
from seqlab.models.base import Seq2Seq, with_heads
from seqlab.playground.play_request import LookRequest
from seqlab.special_tokens import BOS, EOS


class LookingStep:
    """A step function for one row that keeps where the model looked at the last step.

    Args:
        names: the attentions that are kept, by the names of their modules.
        length: how many tokens of the memory, from the first on; None for all.
    """

    def __init__(self, step: Step, model: Seq2Seq, names: Sequence[str], length: int | None = None) -> None:
        self._step, self._model, self._names, self._length = step, model, names, length
        self.looked: dict[str, list[list[int]]] = {}

    def __call__(self, tokens: torch.Tensor, state: Selectable) -> tuple[torch.Tensor, Selectable]:
        if not self._names:
            return self._step(tokens, state)
        with captured_attention(self._model) as maps:
            logits, state = self._step(tokens, state)
        self.looked = {
            name.removesuffix(".core"): percents(with_heads(maps[name])[0, :, -1, : self._length])
            for name in self._names
        }
        return logits, state


def percents(weights: torch.Tensor) -> list[list[int]]:
    """Weights, (heads, tokens), as whole percents."""
    rounded: list[list[int]] = (100 * weights).round().int().tolist()
    return rounded


def heads_over_text(predictor: Predictor) -> dict[str, int]:
    """For each attention of a language model, the number of its heads, by the name of its module."""
    with torch.inference_mode(), captured_attention(predictor.model) as maps:
        step, state, start = predictor.begin([BOS])
        step(start, state)
    return {name: with_heads(weights).size(1) for name, weights in maps.items()}


@torch.inference_mode()
def looked(predictor: Predictor, heads: Sequence[str], request: LookRequest) -> dict[str, list[list[int]]]:
    """Where the model looked at a token of its answer (see `answer_events`): by attention, for each head whole percents
    of the tokens that were in its window, of which the last is the one before the token.

    Raises:
        InputError: there is no such token, or an id is none.
    """
    try:
        ids, _ = predictor.encode_leniently(request.source)
    except ValueError as error:
        raise InputError(str(error)) from None
    size = predictor.target_tokenizer.size
    if any(not EOS <= one < size for one in request.written):
        raise InputError(f"written: ids must be {EOS} to {size - 1}")
    before = [*ids, *request.written][: request.step + 1]
    if not before or len(before) != request.step + 1:
        raise InputError(f"step: the text has {len(before)} tokens")
    step, state, start = predictor.begin(_in_window(predictor, before, len(ids)))
    looking = LookingStep(step, predictor.model, heads)
    looking(start, state)
    return looking.looked


def _in_window(predictor: Predictor, before: Sequence[int], length: int) -> Sequence[int]:
    """Which of the tokens `before` the model saw. It read the text, of `length` tokens, one by one, and then again at
    once before it wrote the first token.
    """
    if predictor.stream is None or not predictor.model.positional:
        return before
    size = predictor.stream.length
    beyond = max(0, length - size) if len(before) >= length else 0
    return before[-tokens_held(len(before) - beyond, size) :]
