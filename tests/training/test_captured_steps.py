"""Captured training steps against plain ones: on a GPU graphs, on a CPU the same work done eagerly on their buffers."""

import functools
import gc

import numpy as np
import pytest
import torch

from seqlab.cuda_graphs import ByShape, CaptureError
from seqlab.data.batch import Examples
from seqlab.models.bahdanau import Bahdanau
from seqlab.models.context_gru import ContextGRU
from seqlab.models.conv import Conv
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.gpt import GPT
from seqlab.models.luong import Luong
from seqlab.models.training_module import trainable
from seqlab.models.transformer import Transformer
from seqlab.training import captured_steps
from seqlab.training.captured_steps import CapturedSteps

EXAMPLES = Examples.of([([4, 5, 6], [7, 8]), ([9], [4, 5, 7]), ([6, 6], []), ([5, 4, 4, 9, 9], [6] * 6)])
SHORT, LONG, ALONE = (EXAMPLES.batch(np.array(rows)) for rows in ([0, 1], [2, 3], [1]))
ORDER = [SHORT, LONG, SHORT, SHORT, ALONE, LONG, LONG, ALONE, SHORT, ALONE, LONG, ALONE]
"""Eager first steps, captures and replays of three shapes, mixed."""

RECURRENT = {"width": 7, "embedding": 5, "dropout": 0.3}
BLOCKS = {"width": 8, "heads": 2, "layers": 1, "dropout": 0.3}
MODELS = {
    "gru": (FixedVector, {**RECURRENT, "cell": "gru"}),
    "lstm": (FixedVector, {**RECURRENT, "layers": 2, "reverse_source": True}),
    "context_gru": (ContextGRU, RECURRENT),
    "bahdanau": (Bahdanau, RECURRENT),
    "luong": (Luong, RECURRENT),
    "conv": (Conv, {**RECURRENT, "layers": 2}),
    "transformer": (Transformer, BLOCKS),
    "gpt": (GPT, BLOCKS),
}
CPU = torch.device("cpu")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    """A device that computes the same each time."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    yield torch.device(request.param)
    torch.use_deterministic_algorithms(before)


def made(name="lstm", accumulated=1, failures=None, device=CPU):
    torch.manual_seed(1)
    architecture, settings = MODELS[name]
    model = trainable(architecture)(11, 13, **settings).to(device)
    reasons = [] if failures is None else failures
    return model, CapturedSteps(model, lambda: accumulated, reasons.append)


def plain_step(model, batch, accumulated=1):
    losses = model.losses(batch)
    (losses.objective / accumulated).backward()
    return losses


def gradients(model):
    return {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert (one[name] is None) == (other[name] is None), name
        assert one[name] is None or torch.equal(one[name], other[name]), name


def assert_trains_like_plain_steps(model, steps, plain, device, accumulated=1):
    """To the bit, with dropout, over eager first steps, captures and replays."""
    order, kept = [batch.to(device) for batch in ORDER], []
    for at in range(0, len(order), accumulated):
        batches = order[at : at + accumulated]
        torch.manual_seed(at)
        for number, batch in enumerate(batches):
            losses = [value.detach().clone() for value in steps.losses(batch)]
            if number == 0:
                model.zero_grad()  # as Lightning does: after the first losses, before their backward pass
            steps.backward()
            kept.append(losses)
        torch.manual_seed(at)
        plain.zero_grad()
        for losses, batch in zip(kept[at:], batches, strict=True):
            expected = plain_step(plain, batch, accumulated)
            assert all(torch.equal(*pair) for pair in zip(losses, expected, strict=True))
        assert_equal(gradients(model), gradients(plain))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("accumulated", [1, 2, 3])
def test_losses_and_gradients_are_those_of_plain_steps_to_the_bit(name, accumulated, device):
    failures = []
    (model, steps), (plain, _) = made(name, accumulated, failures, device), made(name, device=device)
    assert_trains_like_plain_steps(model, steps, plain, device, accumulated)
    assert failures == []
    assert (steps.steps, steps.replayed, steps.pool.captured) == (12, 8, 3)


@pytest.mark.parametrize("limit", [1, 2])
def test_shapes_that_make_room_for_others_train_the_same(limit, device, monkeypatch):
    monkeypatch.setattr(captured_steps, "ByShape", functools.partial(ByShape, limit))
    failures = []
    (model, steps), (plain, _) = made(failures=failures, device=device), made(device=device)
    assert_trains_like_plain_steps(model, steps, plain, device)
    assert failures == []
    assert 0 < steps.replayed < 8


@pytest.mark.gpu
def test_the_memory_of_graphs_is_given_back():
    device, reserved = torch.device("cuda"), []
    for _ in range(2):  # what libraries keep for themselves is there after the first time
        model, steps = made(device=device)
        for batch in ORDER:
            steps.losses(batch.to(device))
            steps.backward()
        assert steps.replayed == 8
        reserved.append(memory_reserved())
        steps.release()
        model.zero_grad()
        del model, steps
        reserved.append(memory_reserved())
    assert reserved[3] <= reserved[1] < reserved[2]


def memory_reserved():
    """Bytes of a GPU that are in use, or kept for graphs."""
    gc.collect()
    torch._C._cuda_clearCublasWorkspaces()  # each stream has one
    torch.cuda.empty_cache()
    return torch.cuda.memory_reserved()


@pytest.mark.gpu
def test_a_step_that_asks_for_a_value_is_done_eagerly_with_one_line():
    device, failures = torch.device("cuda"), []
    (model, steps), (plain, _) = made(failures=failures, device=device), made(device=device)
    batch = SHORT.to(device)
    for one in (model, plain):
        one.losses = functools.partial(asking, one.losses)
    for seed in range(3):
        torch.manual_seed(seed)
        steps.losses(batch)
        model.zero_grad()
        steps.backward()
        torch.manual_seed(seed)
        plain.zero_grad()
        plain_step(plain, batch)
        assert_equal(gradients(model), gradients(plain))
    (reason,) = failures
    assert "synchroniz" in reason
    assert "\n" not in reason
    assert (steps.steps, steps.replayed, steps.pool.captured) == (3, 0, 0)


def asking(losses, batch):
    """Losses of a model that asks the device for a number."""
    computed = losses(batch)
    assert computed.objective.item() > 0
    return computed


def test_gradients_follow_weights_that_change():
    (model, steps), (plain, _) = made(), made()
    optimizers = [torch.optim.SGD(one.parameters(), lr=0.5) for one in (model, plain)]
    for seed in range(4):
        for one, step, optimizer in ((model, steps.losses, optimizers[0]), (plain, plain.losses, optimizers[1])):
            torch.manual_seed(seed)
            objective = step(SHORT).objective
            one.zero_grad()
            steps.backward() if one is model else objective.backward()
            optimizer.step()
    assert_equal(dict(model.named_parameters()), dict(plain.named_parameters()))


def test_a_parameter_without_gradient_gets_none():
    (model, steps), (plain, _) = made(), made()
    for one in (model, plain):
        one.unused = torch.nn.Parameter(torch.ones(3))
    steps = CapturedSteps(model, lambda: 1)
    for seed in range(3):
        torch.manual_seed(seed)
        steps.losses(LONG)
        model.zero_grad()
        steps.backward()
        torch.manual_seed(seed)
        plain.zero_grad()
        plain_step(plain, LONG)
        assert model.unused.grad is None
        assert_equal(gradients(model), gradients(plain))


def test_half_precision_loses_nothing_to_copies_of_weights(device):
    """The losses are those of plain steps; gradients differ by rounding, since copies of weights are not kept."""
    (model, steps), (plain, _) = made("bahdanau", device=device), made("bahdanau", device=device)
    batch = LONG.to(device)
    for seed in range(3):
        with torch.autocast(device.type, torch.bfloat16):
            torch.manual_seed(seed)
            captured = steps.losses(batch)
            model.zero_grad()
            steps.backward()
            torch.manual_seed(seed)
            plain.zero_grad()
            eager = plain_step(plain, batch)
            if device == CPU:
                assert torch.equal(captured.objective, eager.objective)
            else:
                torch.testing.assert_close(captured.objective, eager.objective, rtol=0.01, atol=0)
        for name, gradient in gradients(model).items():
            torch.testing.assert_close(gradient, plain.get_parameter(name).grad, rtol=0.05, atol=0.01)


def test_a_model_that_cannot_be_captured_is_trained_eagerly_with_one_line():
    failures = []
    (model, steps), (plain, _) = made(failures=failures), made()

    def refuse(work):
        raise CaptureError("operation not permitted when stream is capturing")

    steps.pool.capture = refuse
    for seed in range(3):
        torch.manual_seed(seed)
        steps.losses(SHORT)
        model.zero_grad()
        steps.backward()
        torch.manual_seed(seed)
        plain.zero_grad()
        plain_step(plain, SHORT)
        assert_equal(gradients(model), gradients(plain))
    assert failures == ["operation not permitted when stream is capturing"]
    assert steps.replayed == 0
