"""Turns, ratios and processes of the benchmarks; and that the textbooks are the models they are compared with."""

import numpy as np
import pytest
import torch

from benchmarks import decoding, harness
from benchmarks.harness import Done, Spread, Timings, alternate, isolated, peak_memory
from benchmarks.peers.torch_nn import Translator
from benchmarks.textbook.bahdanau import Bahdanau
from benchmarks.textbook.context_gru import ContextGRU
from benchmarks.textbook.conv import Conv
from benchmarks.textbook.fixed_vector import Seq2SeqLSTM
from benchmarks.textbook.gpt import GPT
from benchmarks.textbook.luong import Luong
from benchmarks.textbook.transformer import Transformer
from seqlab.data.batch import Examples
from seqlab.decoding import Beam, Greedy
from seqlab.models import bahdanau, context_gru, conv, fixed_vector, gpt, luong, transformer

SIZES = 17, 19
WIDTHS = {"width": 12, "embedding": 7, "dropout": 0.0}
BLOCKS = {"width": 12, "heads": 3, "layers": 2, "dropout": 0.0}


def test_sides_take_turns_and_the_first_does_not_count():
    order = []

    def side(name):
        def work(turn):
            order.append((name, turn))
            return Done(6.0, seconds=2.0 if name == "slow" else 1.0)

        return work

    timings = alternate({"slow": side("slow"), "fast": side("fast")}, seconds=0.0, warmup=1, least=2)
    assert order == [("slow", 0), ("fast", 0), ("slow", 1), ("fast", 1), ("slow", 2), ("fast", 2)]
    assert len(timings) == 2
    assert timings.rate("slow").median == 3.0
    assert timings.ratio("fast", "slow") == Spread(2.0, 2.0, 2.0)
    assert timings.difference("slow", "fast").median == 1.0


def test_a_ratio_is_that_of_neighbours():
    """A machine that is ten times slower in the second turn does not change it."""
    timings = Timings({"ours": [(4.0, 1.0), (4.0, 10.0)], "theirs": [(2.0, 1.0), (2.0, 10.0)]})
    assert timings.ratio("ours", "theirs") == Spread(2.0, 2.0, 2.0)
    assert timings.rate("ours").low < timings.rate("ours").high


def test_quartiles():
    assert Spread.of([3.0, 1.0, 2.0, 5.0, 4.0]) == Spread(3.0, 2.0, 4.0)
    assert Spread.of([7.0]) == Spread(7.0, 7.0, 7.0)


def hold(mebibytes):
    def side(turn):
        return float(np.ones(mebibytes * 2**17).sum())

    return side


def test_peak_memory_is_that_of_a_process_of_its_own():
    small, large = (isolated(peak_memory, hold, size) for size in (2, 61))
    assert 55 < large - small < 70


def test_a_failure_in_another_process_is_told():
    with pytest.raises(ZeroDivisionError):
        isolated(divmod, 1, 0)


def test_threads_follow_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert harness.thread_count() == 3


@pytest.fixture
def batch():
    generator = np.random.default_rng(5)
    pairs = [
        (generator.integers(4, 17, length).tolist(), generator.integers(4, 19, length + 2).tolist())
        for length in (5, 3, 1, 4)
    ]
    return Examples.of(pairs).batch(np.arange(4))


def weights(module):
    """How many numbers a module learns."""
    return sum(p.numel() for p in module.parameters())


PAIRS = {
    "lstm": (
        lambda: fixed_vector.FixedVector(*SIZES, **WIDTHS, layers=2, reverse_source=True),
        lambda: Seq2SeqLSTM(*SIZES, **WIDTHS, layers=2),
    ),
    "context_gru": (lambda: context_gru.ContextGRU(*SIZES, **WIDTHS), lambda: ContextGRU(*SIZES, **WIDTHS)),
    "bahdanau": (lambda: bahdanau.Bahdanau(*SIZES, **WIDTHS, cell="gru"), lambda: Bahdanau(*SIZES, **WIDTHS)),
    "bahdanau-lstm": (
        lambda: bahdanau.Bahdanau(*SIZES, **WIDTHS, cell="lstm"),
        lambda: Bahdanau(*SIZES, **WIDTHS, cell="lstm"),
    ),
    "luong": (lambda: luong.Luong(*SIZES, **WIDTHS), lambda: Luong(*SIZES, **WIDTHS)),
    "conv": (
        lambda: conv.Conv(*SIZES, **WIDTHS, layers=2, max_positions=11),
        lambda: Conv(*SIZES, **WIDTHS, layers=2, positions=11),
    ),
    "transformer": (
        lambda: transformer.Transformer(*SIZES, **BLOCKS, feed_forward=11),
        lambda: Transformer(*SIZES, **BLOCKS, inner=11),
    ),
    "gpt": (
        lambda: gpt.GPT(19, 19, **BLOCKS, max_positions=8, shared=True),
        lambda: GPT(19, **BLOCKS, block=8),
    ),
}


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("name", PAIRS)
def test_a_textbook_learns_as_many_numbers_as_ours_and_trains(name, batch, device):
    ours, theirs = (make() for make in PAIRS[name])
    assert weights(theirs) == weights(ours)
    loss = theirs.to(device).loss(batch.to(torch.device(device)))
    loss.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in theirs.parameters())


@pytest.mark.parametrize("name", ["lstm", "context_gru", "conv", "transformer", "gpt"])
def test_a_textbook_computes_where_its_batch_is(name, batch):
    """The others read lengths on the host, as tutorials do."""
    theirs = PAIRS[name][1]().to("meta")
    assert theirs.loss(batch.to(torch.device("meta"))).device.type == "meta"


def test_torch_s_transformer_is_ours_with_the_same_numbers(batch):
    ours = transformer.Transformer(*SIZES, width=16, heads=8, layers=3, feed_forward=512)
    theirs = Translator(*SIZES, width=16)
    assert weights(theirs) == weights(ours)
    theirs.loss(batch).backward()


@pytest.mark.parametrize("search", [Greedy(max_length=9), Beam(max_length=9, size=3)])
def test_outputs_end_when_they_are_due(batch, search):
    model = bahdanau.Bahdanau(*SIZES, **WIDTHS).eval()
    with torch.inference_mode():
        step, state, start = model.begin(batch.source, batch.source_lengths)
        found = search(decoding.ending(step), decoding.Ending(state, batch.tokens - 1), start)
    assert found.lengths[:, 0].tolist() == [7, 5, 3, 6]


def test_a_textbook_says_as_many_words_as_it_should(batch):
    model = Luong(*SIZES, **WIDTHS).eval()
    assert len(model.translate(batch.source[1, :3], 6)) == 6
    assert GPT(19, **BLOCKS, block=8).continued(batch.target[:, :2], 9).shape == (4, 11)
