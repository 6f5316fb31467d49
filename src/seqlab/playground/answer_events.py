"""A model's answer to a source as a sequence of events, each as soon as it is known.

`start`, then in a beam search a `beam` for each step, then a `token` for each token of the output, then `end`. All are
plain data for JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from seqlab.decoding import Beam, Greedy, Stepwise
from seqlab.decoding.beam import Expansion, Finished
from seqlab.decoding.hypotheses import Selectable
from seqlab.decoding.search import Choice, top
from seqlab.errors import InputError
from seqlab.inference.attention_maps import token_text
from seqlab.playground.play_request import LONGEST_OUTPUT, PlayRequest
from seqlab.playground.played_models import PlayedModel
from seqlab.playground.text_attention import LookingStep
from seqlab.playground.wire import Event
from seqlab.special_tokens import EOS, PAD, UNK
from seqlab.text.incremental_detokenizer import GrowingText, text_after
from seqlab.text.tokenizers import IntegerTokenizer, matches_one

LIKELIEST = 5
"""How many of the likeliest next tokens are shown."""
LONGEST_SOURCE = 300
"""Tokens of a source: attention to each of them is sent for each output token."""
LONGEST_PROMPT = 2000
"""Tokens of a text that a language model continues."""
CONTINUATION = 60
"""Tokens that a language model adds."""
MORE = 5
"""An output may be so many tokens longer than its source, also beyond the bundle's limit."""


@torch.inference_mode()
def answer_events(model: PlayedModel, request: PlayRequest) -> Iterator[Event]:
    """The events of an answer. Closing the iterator ends the work.

    Raises:
        InputError: the source is beyond a limit, the tokenizer cannot express it, or a token has no probability.
    """
    answering = _Answering(model, request)
    yield answering.start()
    search, forced = answering.search, answering.forced
    if isinstance(search, Beam):
        yield from answering.beam(search)
        forced, search = answering.best(), Greedy(max_length=search.max_length, min_length=search.min_length)
    assert isinstance(search, Stepwise)
    yield from answering.prompt()
    yield from answering.tokens(search, forced)
    yield answering.end()


class _Answering:
    """An answer under way."""

    def __init__(self, model: PlayedModel, request: PlayRequest) -> None:
        self._model, self._predictor = model, model.predictor
        self._continues = self._predictor.stream is not None
        try:
            self._ids, self._unknown = self._predictor.encode_leniently(request.source)
        except ValueError as error:
            raise InputError(str(error)) from None
        self._check_length()
        self._prompt = self._ids[1:] if self._continues else []
        self.forced = self._checked(request.forced[model.name])
        self.search = request.search_of(self._max_length())
        if self._predictor.stream is not None:
            self.search = self._predictor.stream.search(self.search)
        self._expected = self._expected_tokens(request.source)
        self._growing = GrowingText(self._predictor.target_tokenizer, self._ids[:1] if self._continues else ())
        self._written: list[int] = []
        self._score = 0.0
        self._finished: Finished | None = None

    def _check_length(self) -> None:
        limit = LONGEST_PROMPT if self._continues else LONGEST_SOURCE
        if not self._ids:
            raise InputError("there is no text yet")
        if len(self._ids) > limit:
            raise InputError(f"{len(self._ids):,} tokens; this page takes at most {limit:,}")

    def _checked(self, forced: Sequence[int]) -> Sequence[int]:
        size = self._predictor.target_tokenizer.size
        if any(not EOS <= one < size for one in forced):
            raise InputError(f"forced: ids must be {EOS} to {size - 1}")
        if len(forced) > LONGEST_OUTPUT:
            raise InputError(f"forced: {len(forced)} tokens; at most {LONGEST_OUTPUT}")
        return forced

    def _max_length(self) -> int:
        """Tokens of the output at most; a model with learnt positions takes no more than it has."""
        if self._continues:
            return min(len(self.forced) + CONTINUATION, LONGEST_OUTPUT)
        longest = min(max(self._predictor.search.max_length, len(self._ids) + MORE), LONGEST_OUTPUT)
        network = self._predictor.model
        network.check_lengths(len(self._ids), 1)
        limit = math.inf if network.max_positions is None else network.max_positions
        while longest > 1 and network.positions_needed(len(self._ids), longest) > limit:
            longest -= 1
        return longest

    def _expected_tokens(self, source: str) -> list[int] | None:
        """The ids of the right answer, with EOS; None if it is not known."""
        self._right = self._model.answer(source) if self._model.answer and not self._unknown else None
        if self._right is None:
            return None
        try:
            return [*self._predictor.target_tokenizer.read(self._right), EOS]
        except ValueError:
            return None

    def _text(self, i: int) -> str:
        return token_text(self._predictor.target_tokenizer, i)

    def start(self) -> Event:
        """What the model reads."""
        source = self._predictor.source_tokenizer
        return {
            "event": "start",
            "source": [] if self._continues else [token_text(source, i) for i in self._ids],
            "unknown": self._unknown[:LIKELIEST],
            "right": self._right,
            "first": self._text(self._ids[0]) if self._continues and self._ids[0] >= UNK else None,
        }

    def _begin(self, ids: Sequence[int]) -> tuple[LookingStep, Selectable, Tensor]:
        step, state, start = self._predictor.begin(ids)
        names = [] if self._continues else list(self._model.heads)  # of a text, the page asks for single tokens
        return LookingStep(step, self._predictor.model, names, len(self._ids)), state, start

    def prompt(self) -> Iterator[Event]:
        """An event for each token but the first of the text that a language model continues, with its surprise."""
        if self._predictor.stream is not None and self._prompt:
            reading = self._predictor.stream.search(Greedy(max_length=len(self._prompt)))
            yield from self._chosen(reading, self._ids[:1], self._prompt, prompt=True)

    def tokens(self, search: Stepwise, forced: Sequence[int]) -> Iterator[Event]:
        """An event for each token of the output. The text is read again, at once: after reading it token by token, a
        model would see less of a long one (see `Window`) than `Predictor.generate` gives it.
        """
        yield from self._chosen(search, self._ids, forced, prompt=False)

    def _chosen(self, search: Stepwise, ids: Sequence[int], forced: Sequence[int], prompt: bool) -> Iterator[Event]:
        step, state, start = self._begin(ids)
        for one in search.choices(step, state, start, forced):
            token = int(one.tokens)
            score = float(one.log_probabilities[0, token])
            if not math.isfinite(score):
                raise InputError(f"{self._text(token)!r} cannot come here, or the model has diverged")
            self._score += 0.0 if prompt else score
            self._written.append(token)
            piece = self._growing.rest() if token == EOS else self._growing.add(token)
            yield self._token(one, token, piece, prompt) | {"attention": step.looked}

    def _token(self, one: Choice, token: int, piece: str, prompt: bool) -> Event:
        values, ids = top(one.log_probabilities, LIKELIEST)
        likeliest = [
            {"id": i, "text": self._text(i), "p": math.exp(value)}
            for value, i in zip(values[0].tolist(), ids[0].tolist(), strict=True)
            if value > -math.inf
        ]
        expected = self._expected
        return {
            "event": "token",
            "id": token,
            "text": self._text(token),
            "piece": piece,
            "p": math.exp(one.log_probabilities[0, token]),
            "prompt": prompt,
            "forced": not prompt and one.position < len(self.forced),
            "right": None if expected is None else token == (expected[one.position : one.position + 1] or [PAD])[0],
            "likeliest": likeliest,
        }

    def beam(self, search: Beam) -> Iterator[Event]:
        """An event for each step of a beam search; `best` then knows what it has found."""
        step, state, start = self._predictor.begin(self._ids)
        self._finished = Finished(start, search.n_best, search.max_length)
        for position, one in enumerate(search.expansions(step, state, start, self._finished, self.forced)):
            yield {"event": "beam", "position": position, "candidates": self._expanded(search, position, one)}

    def _expanded(self, search: Beam, position: int, one: Expansion) -> list[Event]:
        best, penalty = one.candidates, search.penalty(position + 1)
        rows = zip(
            *(values[0].tolist() for values in (best.origins, best.tokens, best.scores, one.ended, one.going)),
            strict=True,
        )
        kept = [
            self._continuation(origin, token, score, penalty)
            | {"state": "ended" if ended else "going" if going else "hopeless"}
            for origin, token, score, ended, going in rows
            if score > -math.inf
        ]
        seen = {(each["parent"], each["id"]) for each in kept}
        values, ids = top((one.live.scores[:, None] + one.log_probabilities).flatten()[None], len(kept) + LIKELIEST)
        size = one.log_probabilities.size(1)
        others = [
            self._continuation(index // size, index % size, score, penalty) | {"state": "pruned"}
            for score, index in zip(values[0].tolist(), ids[0].tolist(), strict=True)
            if score > -math.inf and (index // size, index % size) not in seen
        ]
        return [*kept, *others[:LIKELIEST]]

    def _continuation(self, parent: int, token: int, score: float, penalty: float) -> Event:
        return {"parent": parent, "id": token, "text": self._text(token), "score": score, "rank": score / penalty}

    def best(self) -> Sequence[int]:
        """The beam's best output, with EOS if it ended with one."""
        assert self._finished is not None
        found = self._finished.result()
        length = int(found.lengths[0, 0])
        tokens: list[int] = found.tokens[0, 0, :length].tolist()
        return [*tokens, *([EOS] if length < self.search.max_length else [])]

    def end(self) -> Event:
        """How it ended."""
        tokenizer = self._predictor.target_tokenizer
        output = self._written[len(self._prompt) :]
        text = text_after(tokenizer, self._ids if self._continues else (), output)
        return {
            "event": "end",
            "text": text,
            "score": self._score,
            "complete": bool(output) and output[-1] == EOS,
            "match": None if self._right is None else matches_one(tokenizer, text, [self._right]),
        }


def settings_shown(model: PlayedModel) -> Mapping[str, Any]:
    """What the page knows of a model from the beginning."""
    tokenizer = model.predictor.source_tokenizer
    numbers = (tokenizer.smallest, tokenizer.largest) if isinstance(tokenizer, IntegerTokenizer) else None
    return {
        "name": model.name,
        "kind": model.kind,
        "data": model.data,
        "continues": model.predictor.stream is not None,
        "heads": {name.removesuffix(".core"): count for name, count in model.heads.items()},
        "answers": model.answer is not None,
        "searchable": model.run is not None,
        "window": None if model.predictor.stream is None else model.predictor.stream.length,
        "numbers": numbers,
    }
