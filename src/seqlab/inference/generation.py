"""Generates text and prints it token by token."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import regex
import torch

from hydra_pruning_sweeper.messages import printable
from seqlab.config.bundle_settings import GenerateSettings
from seqlab.config.component import Component
from seqlab.config.search_settings import search_again
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
"""The default number of tokens of a continuation."""

SENTENCE_END = regex.compile(r"[.!?…][\p{Pe}\p{Pf}\"']*\s*$")


def generate(settings: GenerateSettings) -> None:
    """Prints a model's output for a prompt while it is generated; prints the speed to standard error.

    Raises:
        InputError: no model there, or a prompt or a setting that cannot be used.
    """
    predictor = load(settings.run, settings.trust)
    search = with_new_seed(search_of(settings, predictor), settings)
    prompt = read_prompt(settings.prompt)
    ids = encode_prompt(prompt, predictor, search)
    stream, by_sentence = predictor.stream, settings.stop == "sentence"
    at_mark = by_sentence and (stream is None or stream.boundaries != "sentence")
    meter = Meter()
    tokens = meter.over(generated_tokens(predictor, ids, search, stop_at_eos=by_sentence))
    before, printed = ((), "") if stream is None else (ids, prompt)
    stopped = False
    try:
        _print(printed)
        for text in decoded_pieces(tokens, predictor.target_tokenizer, before, at_mark):
            _print(text)
            printed = text or printed
    except KeyboardInterrupt:
        stopped = True
    _print("" if printed.endswith("\n") else "\n")
    print(meter.summary(), file=sys.stderr)
    if stopped:
        raise KeyboardInterrupt


def search_of(settings: GenerateSettings, predictor: Predictor) -> Stepwise:
    """The search that chooses tokens: that of the setting `decoding`, with the sampling settings typed beside it.

    By default a text is continued by sampling, and a source is answered with the bundle's search if that is sampling,
    else greedily; either has the smallest length of the bundle's search. A temperature of 0 means greedy.

    Raises:
        InputError: the search refuses its settings, or cannot give its output token by token.
    """
    default = predictor.search
    length = settings.length or (default.max_length if predictor.stream is None else LENGTH)
    decoding, drawing = settings.decoding, settings.drawing
    limits: dict[str, Any] = {"max_length": length, "min_length": min(default.min_length, length)}
    if drawing:
        decoding = (decoding or Component("decoding")).with_settings(**drawing)
    if decoding is not None and decoding.get("temperature") == 0:
        typed = {name: decoding.get(name) for name in limits if decoding.get(name) is not None}
        greedy: Greedy = Component("decoding", limits | typed).build_as(Greedy)
        return greedy
    if isinstance(default, Sample):
        default = replace(default, **limits, n_best=1, replace_unknown=False)
    else:
        default = (Greedy if predictor.stream is None and not drawing else Sample)(**limits)
    search: Search = search_again(decoding, default, length)
    if not isinstance(search, Stepwise):
        raise InputError(
            f"decoding: {type(search).__name__} cannot give its output token by token; choose greedy or sample"
        )
    if search.replace_unknown:
        raise InputError(
            "decoding.replace_unknown must be false here, because text is printed token by token; see seqlab-predict"
        )
    if isinstance(search, Sample) and search.n_best > 1:
        raise InputError(f"decoding.n_best must be 1, because only one text is printed, but is {search.n_best}")
    return search


def with_new_seed(search: Stepwise, settings: GenerateSettings) -> Stepwise:
    """The search; if it draws and no setting gives a seed, with one that makes another text each time."""
    given = "seed" in settings.drawing or (settings.decoding is not None and settings.decoding.get("seed") is not None)
    return search if given or not isinstance(search, Sample) else replace(search, seed=secrets.randbelow(2**32))


def read_prompt(prompt: str) -> str:
    """The prompt, or standard input if it is "-".

    Raises:
        InputError: it is not UTF-8 text.
    """
    if prompt == "-":
        return decode_text(standard_input(), "standard input").removesuffix("\n").removesuffix("\r")
    try:
        return prompt.encode().decode()
    except UnicodeEncodeError:
        raise InputError("prompt must be UTF-8 text") from None


def encode_prompt(prompt: str, predictor: Predictor, search: Search) -> list[int]:
    """The ids of the prompt.

    Raises:
        InputError: the source is blank, the tokenizer cannot express it, or it needs more positions than the model has.
    """
    if predictor.stream is None and not prompt.strip():
        raise InputError("prompt: is blank; expected a source")
    try:
        ids = predictor.encode(prompt)
        if predictor.stream is None:
            predictor.model.check_lengths(len(ids), search.max_length)
    except ValueError as error:
        raise InputError(f"prompt: {error}") from None
    return ids


@torch.inference_mode()
def generated_tokens(predictor: Predictor, ids: Sequence[int], search: Stepwise, stop_at_eos: bool) -> Iterator[int]:
    """Yields the tokens that the model generates for an encoded prompt.

    The answer to a source ends with EOS. The continuation of a text goes on after EOS with a new BOS, unless
    `stop_at_eos` is set.
    """
    step, state, start = predictor.begin(ids)
    if predictor.stream is not None:
        search = predictor.stream.search(search)
        if not stop_at_eos and predictor.stream.boundaries != "none":
            step = _with_bos_after_eos(step)
    with quick_lookups(predictor.model):
        for token in search.stream(step, state, start):
            yield token
            if token == EOS and (stop_at_eos or predictor.stream is None):
                return


def _with_bos_after_eos(step: Step) -> Step:
    """A step function for one row that reads BOS after each EOS, as it follows in a stream with boundaries."""

    def step_with_bos(tokens: torch.Tensor, state: Selectable) -> tuple[torch.Tensor, Selectable]:
        if tokens.item() == EOS:
            _, state = step(tokens, state)
            tokens = torch.full_like(tokens, BOS)
        return step(tokens, state)

    return step_with_bos


def decoded_pieces(
    tokens: Iterable[int], tokenizer: Tokenizer, before: Sequence[int] = (), at_mark: bool = False
) -> Iterator[str]:
    """Yields the text of tokens that follow the tokens `before`, piece by piece; EOS becomes a line break.

    Args:
        at_mark: stop after a piece that ends like a sentence.
    """
    text = GrowingText(tokenizer, before)
    for token in tokens:
        if token == EOS:
            yield text.rest() + "\n"
            text = GrowingText(tokenizer)
            continue
        piece = text.add(token)
        yield piece
        if at_mark and SENTENCE_END.search(piece):
            return
    yield text.rest()


class Meter:
    """Counts tokens and seconds."""

    def __init__(self) -> None:
        self.tokens, self._start = 0, time.perf_counter()

    def over(self, tokens: Iterable[int]) -> Iterator[int]:
        """Yields the tokens and counts them."""
        for token in tokens:
            self.tokens += 1
            yield token

    def summary(self) -> str:
        """The number of tokens, and tokens per second."""
        seconds = time.perf_counter() - self._start
        return f"{self.tokens:,} tokens in {seconds:.1f} s, {self.tokens / seconds:,.0f} per second"


def _print(text: str) -> None:
    if sys.stdout.isatty():  # a bundle's vocabulary may contain control characters
        text = "\n".join(map(printable, text.split("\n")))
    sys.stdout.write(text)
    sys.stdout.flush()
