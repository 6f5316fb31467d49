"""A text as it comes, token by token."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import regex
import torch

from hydra_pruning_sweeper.messages import printable
from seqlab.config.component import Component
from seqlab.config.search_settings import search_again
from seqlab.config.settings import GenerateSettings
from seqlab.decoding import Greedy, Sample, Search, Step, Stepwise
from seqlab.decoding.hypotheses import Selectable
from seqlab.errors import InputError
from seqlab.inference.bundle import load
from seqlab.inference.predictor import Predictor
from seqlab.models.fast_attribute_access import quick_lookups
from seqlab.special_tokens import BOS, EOS
from seqlab.text.incremental_detokenizer import GrowingText
from seqlab.text.lines import decode_text, standard_input
from seqlab.text.tokenizers import Tokenizer

LENGTH = 200
"""Tokens to continue a text by, where no other number is asked for."""

SENTENCE_END = regex.compile(r"[.!?…][\p{Pe}\p{Pf}\"']*\s*$")


def generate(settings: GenerateSettings) -> None:
    """Writes what a model makes of a prompt to standard output as it comes, to standard error how fast it came.

    Raises:
        InputError: no model there, or a prompt or a setting that cannot be used.
    """
    predictor = load(settings.run, settings.trust)
    search = search_of(settings, predictor)
    prompt = read_prompt(settings.prompt)
    given = encoded(prompt, predictor, search)
    stream, by_sentence = predictor.stream, settings.stop == "sentence"
    marks = by_sentence and (stream is None or stream.boundaries != "sentence")
    meter = Meter()
    tokens = meter.over(spoken(predictor, given, search, once=by_sentence))
    before, shown = ((), "") if stream is None else (given, prompt)
    stopped = False
    try:
        _say(shown)
        for text in told(tokens, predictor.target_tokenizer, before, marks):
            _say(text)
            shown = text or shown
    except KeyboardInterrupt:
        stopped = True
    _say("" if shown.endswith("\n") else "\n")
    print(meter.summary(), file=sys.stderr)
    if stopped:
        raise KeyboardInterrupt


def search_of(settings: GenerateSettings, predictor: Predictor) -> Stepwise:
    """How to choose tokens: as `decoding` says, with the settings of drawing that were typed beside it.

    Where it says nothing, texts are continued by drawing, sources answered as the model's own search would, as far as
    that can be told as it comes. A temperature of 0 is greedy.

    Raises:
        InputError: settings that the search does not take, or a search that knows its output only as a whole.
    """
    own = predictor.search
    length = settings.length or (own.max_length if predictor.stream is None else LENGTH)
    decoding, drawing = settings.decoding, settings.drawing
    if drawing:
        decoding = (decoding or Component("decoding")).with_settings(**drawing)
    if decoding is not None and decoding.get("temperature") == 0:
        return Greedy(max_length=decoding.get("max_length") or length)
    if isinstance(own, Sample):
        own = replace(own, max_length=length, min_length=min(own.min_length, length), n_best=1, replace_unknown=False)
    else:
        own = (Greedy if predictor.stream is None and not drawing else Sample)(max_length=length)
    search: Search = search_again(decoding, own, length)
    if not isinstance(search, Stepwise):
        raise InputError(f"decoding: {type(search).__name__} knows its output only as a whole; choose greedy or sample")
    if search.replace_unknown:
        raise InputError("decoding.replace_unknown must be false, for text is shown as it comes; see seqlab-predict")
    if isinstance(search, Sample) and search.n_best > 1:
        raise InputError(f"decoding.n_best must be 1, for one text is shown as it comes, but is {search.n_best}")
    return search


def read_prompt(prompt: str) -> str:
    """The prompt, or standard input where it is "-".

    Raises:
        InputError: it is no text.
    """
    if prompt == "-":
        return decode_text(standard_input(), "standard input").removesuffix("\n").removesuffix("\r")
    try:
        return prompt.encode().decode()
    except UnicodeEncodeError:
        raise InputError("prompt must be UTF-8 text") from None


def encoded(prompt: str, predictor: Predictor, search: Search) -> list[int]:
    """The prompt for the model.

    Raises:
        InputError: a blank source, one that the tokenizer cannot express or that the model has not the positions for.
    """
    if predictor.stream is None and not prompt.strip():
        raise InputError("prompt: is blank; expected a source")
    try:
        given = predictor.encode(prompt)
        if predictor.stream is None:
            predictor.model.check_lengths(len(given), search.max_length)
    except ValueError as error:
        raise InputError(f"prompt: {error}") from None
    return given


@torch.inference_mode()
def spoken(predictor: Predictor, given: Sequence[int], search: Stepwise, once: bool) -> Iterator[int]:
    """The tokens that a model says of an encoded text, as they come.

    What was made from a source ends with EOS. A text goes on after it, with BOS, unless it shall be said but `once`.
    """
    step, state, start = predictor.begin(given)
    if predictor.stream is not None:
        search, step = predictor.stream.search(search), _beginning_again(step)
    with quick_lookups(predictor.model):
        for token in search.stream(step, state, start):
            yield token
            if token == EOS and (once or predictor.stream is None):
                return


def _beginning_again(step: Step) -> Step:
    """A step that reads BOS after EOS, of one row: as in the streams that have them."""

    def begin_again(tokens: torch.Tensor, state: Selectable) -> tuple[torch.Tensor, Selectable]:
        if tokens.item() == EOS:
            _, state = step(tokens, state)
            tokens = torch.full_like(tokens, BOS)
        return step(tokens, state)

    return begin_again


def told(tokens: Iterable[int], tokenizer: Tokenizer, before: Sequence[int] = (), marks: bool = False) -> Iterator[str]:
    """The text of tokens, piece by piece, where they stand after `before`; a line ends where EOS comes.

    Args:
        marks: stop where a piece ends as a sentence does.
    """
    text = GrowingText(tokenizer, before)
    for token in tokens:
        if token == EOS:
            yield text.rest() + "\n"
            text = GrowingText(tokenizer)
            continue
        piece = text.add(token)
        yield piece
        if marks and SENTENCE_END.search(piece):
            return
    yield text.rest()


class Meter:
    """Counts tokens, and the seconds that they take."""

    def __init__(self) -> None:
        self.tokens, self._start = 0, time.perf_counter()

    def over(self, tokens: Iterable[int]) -> Iterator[int]:
        """The same tokens, counted as they come."""
        for token in tokens:
            self.tokens += 1
            yield token

    def summary(self) -> str:
        """How many, and how fast."""
        seconds = time.perf_counter() - self._start
        return f"{self.tokens:,} tokens in {seconds:.1f} s, {self.tokens / seconds:,.0f} a second"


def _say(text: str) -> None:
    if sys.stdout.isatty():  # which a bundle's vocabulary must not steer
        text = "\n".join(map(printable, text.split("\n")))
    sys.stdout.write(text)
    sys.stdout.flush()
