"""The step of a decoder as captured work: what is kept, what is given up, and what it gives against the plain step."""

import copy
import gc
import weakref
from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from seqlab.cuda_graphs import CaptureError
from seqlab.decoding import Beam, Greedy, Sample, Window
from seqlab.layers.state import State
from seqlab.models.bahdanau import Bahdanau
from seqlab.models.base import Seq2Seq
from seqlab.models.captured_step import CapturedStep, CapturedWindow, captured_step_of, with_few_widths
from seqlab.models.conv import Conv
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.gpt import GPT
from seqlab.models.transformer import Transformer
from seqlab.special_tokens import BOS, PAD
from seqlab.testing.slow_references import with_random_weights

V, W, S = 17, 19, 8
CPU = torch.device("cpu")
BLOCKS = {"width": 12, "heads": 3, "layers": 2, "max_positions": 30}
MODELS = {
    "lstm": lambda: FixedVector(V, W, width=7, embedding=5, layers=2),
    "bahdanau": lambda: Bahdanau(V, W, width=7, embedding=5, layers=2),
    "conv": lambda: Conv(V, W, width=7, embedding=5, layers=2, max_positions=30),
    "transformer": lambda: Transformer(V, W, **BLOCKS),
    "gpt": lambda: GPT(V, W, **BLOCKS),
    "min_gru": lambda: GPT(V, W, **BLOCKS, mixer="min_gru"),
    "gated_linear": lambda: Transformer(V, W, **(BLOCKS | {"heads": 2}), mixer="gated_linear"),
}
SEARCHES = {
    "greedy": Greedy(max_length=20),
    "greedy, not too short": Greedy(max_length=11, min_length=9),
    "greedy, one token": Greedy(max_length=1),
    "sample": Sample(max_length=17, seed=3),
    "beam of 1": Beam(max_length=9, size=1),
    "beam of 3": Beam(max_length=9, size=3, n_best=2, length_penalty=0.0),
    "beam of 5": Beam(max_length=11, size=5, n_best=5, min_length=3),
    "beam, two tokens": Beam(max_length=2, size=4, n_best=4),
    "beam, wide": Beam(max_length=4, size=W, n_best=4, length_penalty=2.0, block_repeats=1),
}


def made(name="lstm", device=CPU):
    torch.manual_seed(5)
    model = with_random_weights(MODELS[name]()).to(device)
    return model, CapturedStep(model, model._step, device)


def batch(seed, rows=7, sourceless=False, device=CPU):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, S + 1, (rows,), generator=generator) * (not sourceless)
    source = torch.randint(4, V, (rows, S), generator=generator)
    return source.masked_fill(torch.arange(S) >= lengths[:, None], PAD).to(device), lengths.to(device)


@torch.inference_mode()
def found_by(search, model, step, seed=1, rows=7, prompt=1, sourceless=False):
    """What a search finds with the plain step, and with another one."""
    source, lengths = batch(seed, rows, sourceless, next(model.parameters()).device)
    tokens = torch.randint(4, W, (rows, prompt), generator=torch.Generator().manual_seed(seed)).to(source.device)
    tokens[:, 0] = BOS
    state = model.encode(source, lengths)
    state = state if prompt == 1 else model.decode(tokens[:, :-1], state)[1]
    return search(model._step, state, tokens[:, -1]), search(step, state, tokens[:, -1])


def assert_same(expected, found, rtol=1e-6, atol=2e-6):
    assert torch.equal(found.tokens, expected.tokens)
    assert torch.equal(found.lengths, expected.lengths)
    torch.testing.assert_close(found.scores, expected.scores, rtol=rtol, atol=atol)


@pytest.mark.parametrize("search", SEARCHES.values(), ids=list(SEARCHES))
@pytest.mark.parametrize("name", ["lstm", "gpt"])
def test_a_search_finds_the_same_in_one_graph_for_all_batches_of_a_shape(name, search):
    model, step = made(name)
    for seed in (1, 2, 1):
        assert_same(*found_by(search, model, step, seed))
        assert step.reason == ""
    assert step.pool.captured == (search.max_length > 1)
    assert_same(*found_by(search, model, step, rows=1))
    if name == "gpt":
        assert_same(*found_by(search, model, step, sourceless=True, prompt=9))
    assert step.reason == ""


def test_prompts_of_about_one_length_share_a_graph_and_others_have_their_own():
    model, step = made("gpt")
    search = Greedy(max_length=15, min_length=15)
    for prompt, captured in ((2, 1), (6, 1), (1, 1)):
        assert_same(*found_by(search, model, step, prompt=prompt))
        assert step.pool.captured == captured
    assert_same(*found_by(replace(search, max_length=16), model, step))
    assert_same(*found_by(search, model, step, rows=3))
    assert step.pool.captured == 3
    assert_same(*found_by(search, model, step))
    assert step.pool.captured == 4  # two are kept
    assert step.reason == ""


def test_nothing_of_a_batch_with_broken_numbers_reaches_the_next():
    model, step = made("transformer")
    search = Greedy(max_length=12, min_length=12)
    expected, _ = found_by(search, model, step, seed=2)
    weights = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        model.decoder.blocks[0].self_attention.inputs.weight.fill_(torch.nan)
    found_by(search, model, step, seed=1)
    model.load_state_dict(weights)
    assert_same(expected, found_by(search, model, step, seed=2)[1])
    assert (step.reason, step.pool.captured) == ("", 1)


def test_weights_that_changed_are_used_and_those_that_moved_captured_anew():
    model, step = made()
    search = Greedy(max_length=9)
    assert_same(*found_by(search, model, step))
    with torch.no_grad():
        model.output.weight.mul_(-1)
    assert_same(*found_by(search, model, step))
    assert step.pool.captured == 1
    model.output.weight.data = -model.output.weight.data
    assert_same(*found_by(search, model, step))
    assert (step.pool.captured, step.reason) == (2, "")


def test_what_was_found_stays_when_the_search_goes_on():
    model, step = made()
    for search in (Greedy(max_length=9), Beam(max_length=9, size=3, n_best=3)):
        _, first = found_by(search, model, step, seed=1)
        kept = copy.deepcopy(first)
        found_by(search, model, step, seed=2)
        assert_same(kept, first, rtol=0, atol=0)


@pytest.mark.parametrize("size", [4, 5, 30])
@pytest.mark.parametrize("name", ["gpt", "conv"])
def test_text_longer_than_a_window_is_that_of_the_plain_window(name, size):
    model, step = made(name)
    plain, captured = Window(model.decode, size), CapturedWindow(model.decode, size, step)
    for search in (Sample(max_length=14, min_length=14), Beam(max_length=12, size=3, n_best=2, block_repeats=2)):
        for prompt in (4, 1):
            source, lengths = batch(1)
            tokens = torch.randint(4, W, (7, prompt), generator=torch.Generator().manual_seed(2))
            with torch.inference_mode():
                state = plain.begin(tokens[:, :-1], model.encode(source, lengths))
                assert_same(*(search(one, state, tokens[:, -1]) for one in (plain, captured)))
    assert (step.reason, step.pool.captured) == ("", 2)


@torch.inference_mode()
def test_streams_are_captured_and_do_not_disturb_each_other():
    model, step = made("gpt")
    search = Sample(max_length=13, min_length=13)
    starts = [(model.encode(*batch(seed, rows=1)), torch.tensor([BOS])) for seed in (1, 2)]
    expected = [list(search.stream(model._step, *start)) for start in starts]
    assert [list(search.stream(step, *start)) for start in starts] == expected
    assert list(zip(*(search.stream(step, *start) for start in starts), strict=True)) == list(
        zip(*expected, strict=True)
    )
    assert next(search.stream(step, *starts[0])) == expected[0][0]  # and is given up by whoever listens
    assert list(search.stream(step, *starts[1])) == expected[1]
    assert (step.reason, step.pool.captured) == ("", 1)


@torch.inference_mode()
def test_a_stream_that_cannot_be_captured_goes_on_plainly():
    model, step = made("gpt")
    search, start = Sample(max_length=7, min_length=7), (model.encode(*batch(1, rows=1)), torch.tensor([BOS]))

    def refuse(work):
        raise CaptureError("operation not permitted when stream is capturing")

    step.pool.capture = refuse
    for _ in range(2):
        assert list(search.stream(step, *start)) == list(search.stream(model._step, *start))
        assert step.reason == "CaptureError: operation not permitted when stream is capturing"


@dataclass(frozen=True)
class Alternating(State):
    """A state that has a tensor after every other token."""

    inner: State
    tokens: torch.Tensor | None


@dataclass(frozen=True)
class Grown(State):
    """A state with all its tokens."""

    inner: State
    tokens: torch.Tensor


@dataclass(frozen=True)
class Reordered(State):
    """A state that selects rows in a way of its own."""

    inner: State

    def select(self, rows):
        return Reordered(self.inner.select(rows))


class Other(FixedVector):
    """A decoder with a state of another kind."""

    kind = "plain"

    def encode(self, source, source_lengths):
        state = super().encode(source, source_lengths)
        others = {
            "alternating": Alternating(state, None),
            "grown": Grown(state, source[:, :0]),
            "reordered": Reordered(state),
        }
        return others.get(self.kind, state)

    def decode(self, tokens, state):
        logits, after = super().decode(tokens, getattr(state, "inner", state))
        if self.kind == "alternating":
            return logits, Alternating(after, tokens if state.tokens is None else None)
        if self.kind == "grown":
            return logits, Grown(after, torch.cat([state.tokens, tokens], dim=1))
        return logits, Reordered(after) if self.kind == "reordered" else after


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("plain", ""),
        ("alternating", "CaptureError: a state changes its form from token to token"),
        ("grown", "CaptureError: a state changes its form from token to token"),
        ("reordered", "CaptureError: Reordered has a `select` of its own"),
    ],
)
def test_a_state_that_fits_into_no_fixed_buffers_is_searched_from_plainly(kind, reason):
    torch.manual_seed(5)
    model = with_random_weights(Other(V, W, width=7, embedding=5))
    model.kind = kind
    step = CapturedStep(model, model._step, CPU)
    for search in (Greedy(max_length=9), Beam(max_length=5, size=3)):
        assert_same(*found_by(search, model, step))
        assert step.reason == reason
        assert step.capturable == (not reason)


class Bigram(Seq2Seq):
    """Its state is empty."""

    def __init__(self):
        super().__init__(V, W)
        self.table = nn.Embedding(W, W)

    def encode(self, source, source_lengths):
        return State()

    def decode(self, tokens, state):
        return self.table(tokens), state


def test_batches_of_other_sizes_have_their_own_buffers_even_if_states_are_empty():
    torch.manual_seed(5)
    model = Bigram().eval()
    step = CapturedStep(model, model._step, CPU)
    for search in (Greedy(max_length=9), Beam(max_length=5, size=3)):
        for rows in (7, 1, 4):
            assert_same(*found_by(search, model, step, rows=rows))
    assert step.reason == ""


def test_without_memory_for_the_buffers_a_search_is_plain():
    model, step = made()

    def too_large(work, check):
        raise torch.OutOfMemoryError("CUDA out of memory")

    eagerly, step.pool.eagerly = step.pool.eagerly, too_large
    assert_same(*found_by(Greedy(max_length=9), model, step))
    step.pool.eagerly = eagerly
    assert_same(*found_by(Greedy(max_length=9), model, step))
    assert (step.reason, step.pool.captured) == ("", 1)


def test_an_error_of_the_model_is_raised_as_ever():
    model, step = made()

    def broken(*_):
        raise ValueError("not today")

    model.output.forward = broken
    with pytest.raises(ValueError, match="not today"):
        found_by(Greedy(max_length=3), model, step)


def test_searches_are_not_captured_where_gradients_may_be_wanted():
    model, step = made()
    source, lengths = batch(1)
    Greedy(max_length=5)(step, model.encode(source, lengths), torch.full((7,), BOS))
    assert (step.pool.captured, step.reason) == (0, "")


def test_on_a_cpu_and_in_training_and_with_hooks_no_step_is_captured():
    model, _ = made()
    device = torch.device("cuda", 0)
    assert captured_step_of(model, model._step, CPU) is None
    assert captured_step_of(model.train(), model._step, device) is None
    handle = model.eval().output.register_forward_hook(lambda *_: None)
    assert captured_step_of(model, model._step, device) is None
    handle.remove()


def test_captured_work_keeps_no_model_alive():
    model, step = made()
    found_by(Greedy(max_length=5), model, step)
    assert step.pool.captured == 1
    watched = weakref.ref(model)
    del model
    gc.collect()
    assert watched() is None


def test_sources_are_padded_to_few_widths():
    for width, limit, expected in ((3, None, 8), (8, None, 8), (9, None, 16), (9, 12, 12), (9, 9, 9), (13, 9, 13)):
        source = torch.ones(2, width, dtype=torch.long)
        padded = with_few_widths(source, limit)
        assert padded.shape == (2, expected)
        assert torch.equal(padded, nn.functional.pad(source, (0, expected - width), value=PAD))


@pytest.mark.gpu
@pytest.mark.parametrize("search", SEARCHES.values(), ids=list(SEARCHES))
@pytest.mark.parametrize("name", MODELS)
def test_on_a_gpu_graphs_find_what_the_plain_step_finds(name, search):
    device = torch.device("cuda", torch.cuda.current_device())
    model, _ = made(name, device)
    step = captured_step_of(model, model._step, device)
    assert isinstance(step, CapturedStep)
    for seed in (1, 2, 3):
        assert_same(*found_by(search, model, step, seed), rtol=1e-4, atol=1e-4)
        assert step.reason == ""
    assert step.pool.captured == (search.max_length > 1)


@pytest.mark.gpu
def test_on_a_gpu_a_model_generates_through_graphs_as_on_a_cpu():
    model, _ = made("gpt")
    search = Greedy(max_length=16, min_length=16)
    expected = model.generate(*batch(1), search)
    device = torch.device("cuda", torch.cuda.current_device())
    model.to(device)
    for _ in range(3):
        found = model.generate(*batch(1, device=device), search)
        assert torch.equal(found.tokens.cpu(), expected.tokens)
    step = captured_step_of(model, model._step, device)
    assert (step.pool.captured, step.reason) == (1, "")
