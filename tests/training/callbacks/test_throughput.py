"""Tokens, seconds and operations of training against counts by hand."""

import json
import warnings
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from processes import forked

from seqlab import stopwatch
from seqlab.data.batch import Examples
from seqlab.data.loader import BatchLoader, BucketSampler
from seqlab.data.module import SequenceData
from seqlab.models.conv import Conv
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.training_module import trainable
from seqlab.models.transformer import Transformer
from seqlab.training.callbacks import throughput
from seqlab.training.callbacks.throughput import Throughput
from seqlab.training.dry_run import count_flops, typical_batch, without_side_effects

# Sources of 3 and 1 tokens; targets of 2 and 4, or with EOS 3 and 5.
EXAMPLES = Examples.of([([4, 5, 6], [7, 8]), ([4], [5, 6, 7, 8])])
ROWS, STEPS_IN, STEPS_OUT = 2, 3, 5
READ, ASKED = 3 + 1, 3 + 5
VOCABULARIES = (11, 13)
CPU = torch.device("cpu")


def batch(*rows):
    return EXAMPLES.batch(np.array(rows))


def trained_alone(model):
    """The model in the hands of a trainer of one process."""
    model._trainer = SimpleNamespace(world_size=1)
    return model


def product(positions, inputs, outputs):
    """Operations of (positions, inputs) times (inputs, outputs)."""
    return 2 * positions * inputs * outputs


# Tokens -------------------------------------------------------------------------------------------------------


def test_eos_is_taught_and_counts_but_bos_and_padding_do_not():
    assert int(batch(0).tokens.sum()) == 3
    assert int(batch(0, 1).tokens.sum()) == 3 + 5


def test_a_filler_row_has_no_tokens():
    assert int(batch(1, -1).tokens.sum()) == 5
    assert int(batch(-1).tokens.sum()) == 0


def test_the_typical_batch_is_of_middle_length():
    examples = Examples.of([([4], [4] * length) for length in (9, 1, 4)])
    loader = BatchLoader("train", examples, BucketSampler(examples.lengths(np.arange(3)), 1, seed=1))
    data = mock.Mock(spec=SequenceData, training_batches=lambda: loader)
    assert typical_batch(data, CPU).rows.tolist() == [2]


# Seconds ------------------------------------------------------------------------------------------------------


class Clock:
    """A clock that goes on only when told to."""

    def __init__(self):
        self.now, self.waited, self.memory = 100.0, 7.0, 900

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(throughput, "time", clock)
    monkeypatch.setattr(stopwatch, "time", clock)
    monkeypatch.setattr(stopwatch, "waited_for_a_core", lambda: clock.waited)
    monkeypatch.setattr(throughput, "peak_memory", lambda device: clock.memory)
    return clock


TRAINER, MODULE = mock.Mock(spec=Trainer), LightningModule()


def trained_batch(callback, clock, seconds, *rows):
    callback.on_train_batch_start(TRAINER, MODULE, batch(*rows), 0)
    clock.now += seconds
    callback.on_train_batch_end(TRAINER, MODULE, None, batch(*rows), 0)


def test_seconds_are_those_of_training_alone(clock):
    callback = Throughput()
    callback.on_validation_start(TRAINER, MODULE)  # the sanity check before training
    clock.now += 1000
    callback.on_train_epoch_start(TRAINER, MODULE)
    trained_batch(callback, clock, 2, 0, 1)
    clock.now += 0.5  # between two batches
    clock.waited += 0.5
    trained_batch(callback, clock, 3, 0)
    callback.on_validation_start(TRAINER, MODULE)  # in the middle of the epoch
    clock.now += 1000
    clock.waited += 300
    trained_batch(callback, clock, 4, 1)
    callback.on_validation_start(TRAINER, MODULE)
    clock.now += 1000
    callback.on_train_epoch_end(TRAINER, MODULE)
    clock.now += 1000
    assert callback.result() == {
        "tokens": 8 + 3 + 5,
        "seconds": pytest.approx(9.5),
        "waited": pytest.approx(0.5),
        "tokens_per_second": pytest.approx(16 / 9.5),
        "flops": 0.0,
        "peak_memory": 900,
    }


def test_a_resumed_run_counts_the_part_before(clock):
    clock.now += 5  # data and model are made
    before = Throughput(began=clock.now - 5)
    before._flops_per_token = 7.0
    before.on_train_epoch_start(TRAINER, MODULE)
    trained_batch(before, clock, 2, 0, 1)
    clock.waited += 0.25
    state = before.state_dict()
    trained_batch(before, clock, 50, 0)  # lost: it comes after the checkpoint

    clock.now += 10_000  # nothing runs
    after = Throughput()
    after.load_state_dict(json.loads(json.dumps(state)))
    assert state["run"] == after.earlier == pytest.approx(5 + 2)
    assert after.result() == {  # nothing is left to be trained
        **{name: count for name, count in state.items() if name != "run"},
        "tokens_per_second": pytest.approx(4),
    }
    after._flops_per_token = 10.0  # other batches
    clock.memory = 700  # less than before
    trained_batch(after, clock, 3, 0)  # within an epoch, whose beginning is not announced again
    after.on_train_epoch_end(TRAINER, MODULE)
    counts = {"tokens": 11, "seconds": pytest.approx(5), "waited": 0.25, "flops": 8 * 7 + 3 * 10, "peak_memory": 900}
    assert after.state_dict() == counts | {"run": pytest.approx(7 + 3)}
    assert after.result()["tokens_per_second"] == pytest.approx(11 / 5)


@pytest.mark.parametrize(("stage", "measured"), [("fit", [CPU]), ("test", [])])
def test_memory_is_measured_from_the_beginning_of_training(monkeypatch, stage, measured):
    anew = []
    monkeypatch.setattr(throughput, "measure_anew", anew.append)
    trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=CPU))
    Throughput().setup(trainer, MODULE, stage)
    assert anew == measured


def test_a_run_without_a_step_has_no_speed():
    nothing = {"tokens": 0, "seconds": 0.0, "waited": 0.0, "tokens_per_second": 0.0, "flops": 0.0}
    result = Throughput().result()
    assert result.pop("peak_memory") > 0
    assert result == nothing


def test_what_a_part_of_a_run_did_not_record_is_not_known(clock):
    after = Throughput()
    after.load_state_dict({"tokens": 8, "seconds": 2.0, "flops": 56.0, "run": 7.0})  # an earlier version's
    trained_batch(after, clock, 3, 0)
    assert after.result()["waited"] is None and after.result()["peak_memory"] is None


# Operations ---------------------------------------------------------------------------------------------------


def gru_by_hand(embedding, width):
    """Forward, and for each product a gradient of its weights and one of its inputs, where these have any.

    All skip padding. Token ids have no gradient, their vectors do.
    """
    encoder_inputs = 3 * product(READ, embedding, 3 * width)
    # The first of a row's states is zero, of which no gradient is taken.
    encoder_states = 2 * product(READ, width, 3 * width) + product(READ - ROWS, width, 3 * width)
    decoder = 3 * (product(ASKED, embedding, 3 * width) + product(ASKED, width, 3 * width))
    return encoder_inputs + encoder_states + decoder + 3 * product(ASKED, width, VOCABULARIES[1])


def test_operations_of_a_gru_are_those_counted_by_hand():
    model = trained_alone(trainable(FixedVector)(*VOCABULARIES, width=7, embedding=5, cell="gru"))
    assert count_flops(model, batch(0, 1)) == gru_by_hand(5, 7)


def test_a_one_hot_vector_has_no_gradient():
    model = trained_alone(trainable(FixedVector)(*VOCABULARIES, width=7, embedding=None, cell="gru"))
    source, target = VOCABULARIES
    inputs = 2 * (product(READ, source, 21) + product(ASKED, target, 21))
    assert count_flops(model, batch(0, 1)) == gru_by_hand(0, 7) + inputs


def test_operations_of_a_transformer_are_those_counted_by_hand():
    width, heads, inner, layers = 6, 2, 7, 3
    model = trainable(Transformer)(*VOCABULARIES, width=width, heads=heads, feed_forward=inner, layers=layers)

    def attention(queries, memory):  # products of queries and keys, and of shares and values, over all heads
        return 2 * product(ROWS * queries, width, memory)

    def linear(positions):  # queries, keys, values and the output, then the feed-forward layers
        return product(positions, width, 4 * width) + 2 * product(positions, width, inner)

    encoder = linear(READ) + attention(STEPS_IN, STEPS_IN)  # only attention meets padding
    to_memory = product(READ, width, 2 * width) + product(ASKED, width, 2 * width) + attention(STEPS_OUT, STEPS_IN)
    decoder = linear(ASKED) + attention(STEPS_OUT, STEPS_OUT) + to_memory
    forward = layers * (encoder + decoder) + product(ASKED, width, VOCABULARIES[1])
    assert count_flops(trained_alone(model), batch(0, 1)) == 3 * forward


def test_operations_of_convolutions_are_those_counted_by_hand():
    width, embedding, kernel, layers = 7, 5, 3, 2
    model = trainable(Conv)(*VOCABULARIES, width=width, embedding=embedding, kernel=kernel, layers=layers)
    read, told = ROWS * STEPS_IN, ROWS * STEPS_OUT

    def side(positions, wanted):  # the linear layers around the blocks, and the gated convolutions
        around = product(positions, embedding, width) + product(wanted, width, embedding)
        return around + layers * product(positions, kernel * width, 2 * width)

    attention = 2 * product(told, width, embedding) + 2 * product(told, embedding, STEPS_IN)
    output = product(ASKED, embedding, VOCABULARIES[1])
    forward = side(read, read) + side(told, ASKED) + layers * attention + output
    assert count_flops(trained_alone(model), batch(0, 1)) == 3 * forward


def test_counting_leaves_no_trace(capfd):
    model = trained_alone(trainable(FixedVector)(*VOCABULARIES, width=7, embedding=5, dropout=0.5)).train()
    model.register_buffer("calls", torch.zeros(()))
    model.register_forward_pre_hook(lambda module, _: module.calls.add_(1) and None)
    state = torch.get_rng_state()
    kernels = (torch.backends.mkldnn.enabled, torch.backends.cudnn.enabled, torch.backends.cuda.flash_sdp_enabled())
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with without_side_effects(model, CPU):
            count_flops(model, batch(0, 1))
            assert model.calls == 1
            assert not torch.equal(torch.get_rng_state(), state)  # it did draw, by dropout
    assert torch.equal(torch.get_rng_state(), state)
    assert kernels == (
        *(torch.backends.mkldnn.enabled, torch.backends.cudnn.enabled),
        torch.backends.cuda.flash_sdp_enabled(),
    )
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not torch._C._len_torch_dispatch_stack()
    assert not any(metric.update_called for group in model.measures.values() for metric in group.values())
    assert torch.equal(model._train_loss, torch.zeros(3))
    assert capfd.readouterr() == ("", "")


# Whole runs ---------------------------------------------------------------------------------------------------

RUN = (
    *("data=reversal", "data.samples=194", "data.batch_size=16"),  # 97 in training: the last batch holds one
    *("model=gru", "model.width=7", "model.embedding=5", "trainer.max_epochs=2", "callbacks.saver.every_n_steps=2"),
)


def counts(run):
    return json.loads((run / "result.json").read_text())["training"]


def generated(run):
    """The only kind of generation of a run."""
    result = json.loads((run / "result.json").read_text())
    assert result["generation"].keys() == {"free_running"}
    cost = result["generation"]["free_running"]
    assert cost["per_second"] == cost["outputs"] / cost["seconds"] and cost.keys() >= {"waited"}
    return cost["outputs"], result["measured"]["test"]


def train(folder, *arguments, code=0):
    done = forked(folder, *arguments)
    assert (done.returncode, done.stderr) == (code, "")


def kept(run):
    return torch.load(run / "checkpoints/last.ckpt", weights_only=True)["callbacks"]["Throughput"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    train(folder, *RUN, "trainer=cpu", "hydra.run.dir=run")
    return folder / "run"


@pytest.mark.slow
def test_two_processes_count_the_tokens_of_one_and_one_goes_on_from_them(whole, tmp_path):
    run = tmp_path / "run"
    train(tmp_path, *RUN, "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "hydra.run.dir=run")
    two = counts(run)
    assert two["tokens"] == counts(whole)["tokens"] == kept(run)["tokens"]
    assert two["flops"] == pytest.approx(counts(whole)["flops"], rel=0.2)  # scaled up from another batch
    assert two["peak_memory"] > 100 * 2**20
    of_two, of_one = generated(run), generated(whole)
    assert of_two == of_one and of_one[0] == of_one[1] > 10

    train(tmp_path, "resume=run", "trainer.max_epochs=3")
    three = counts(run)
    assert three["tokens"] == two["tokens"] * 3 // 2
    assert three["flops"] == pytest.approx(two["flops"] * 3 / 2)
    assert three["seconds"] > two["seconds"]


def test_a_run_killed_within_an_epoch_ends_with_the_counts_of_a_whole_one(whole, tmp_path):
    run = tmp_path / "run"
    kill = ("+callbacks.signal._target_=signals.SendSignal", "+callbacks.signal.name=SIGKILL")
    when = ("+callbacks.signal.step=11", f"+callbacks.signal.marker={tmp_path}/sent")
    train(tmp_path, *RUN, "trainer=cpu", *kill, *when, "hydra.run.dir=run", code=-9)
    before = kept(run)
    assert 0 < before["tokens"] < counts(whole)["tokens"]
    train(tmp_path, "resume=run")
    after = counts(run)
    assert after["tokens"] == counts(whole)["tokens"]
    assert after["flops"] == pytest.approx(counts(whole)["flops"])
    assert after["seconds"] > before["seconds"]  # four batches were still to come
    seconds = json.loads((run / "result.json").read_text())["seconds"]
    assert seconds["fit"] > before["run"] > before["seconds"]
    assert seconds["all"] == pytest.approx(seconds["fit"] + seconds["measure"])

    assert 100 * 2**20 < before["peak_memory"] <= after.pop("peak_memory")

    train(tmp_path, "resume=run")  # nothing is left to train
    again = counts(run)
    assert before["peak_memory"] <= again.pop("peak_memory")
    assert again == after


def test_operations_are_counted_with_mixed_precision(whole, tmp_path):
    train(tmp_path, *RUN, "trainer=cpu", "trainer.precision=bf16-mixed", "hydra.run.dir=run")
    assert counts(tmp_path / "run")["flops"] == counts(whole)["flops"]
