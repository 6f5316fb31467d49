"""Captured training steps, done eagerly on their buffers here, against plain ones."""

import numpy as np
import pytest
import torch

from seqlab.cuda_graphs import CaptureError
from seqlab.data.batch import Examples
from seqlab.models.bahdanau import Bahdanau
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.gpt import GPT
from seqlab.models.training_module import trainable
from seqlab.training.captured_steps import CapturedSteps

EXAMPLES = Examples.of([([4, 5, 6], [7, 8]), ([9], [4, 5, 7]), ([6, 6], []), ([5, 4, 4, 9, 9], [6] * 6)])
SHORT, LONG, ALONE = (EXAMPLES.batch(np.array(rows)) for rows in ([0, 1], [2, 3], [1]))
MODELS = {
    "recurrent": lambda: trainable(FixedVector)(11, 13, width=7, embedding=5, dropout=0.3),
    "attention": lambda: trainable(Bahdanau)(11, 13, width=7, embedding=5, dropout=0.3),
    "transformer": lambda: trainable(GPT)(11, 13, width=8, heads=2, layers=1, dropout=0.3),
}


def made(name="recurrent", accumulated=1, failures=None):
    torch.manual_seed(1)
    model = MODELS[name]()
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


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("accumulated", [1, 2, 3])
def test_losses_and_gradients_are_those_of_plain_steps_to_the_bit(name, accumulated):
    """Over eager first steps, captures and replays in any order, with dropout."""
    (model, steps), (plain, _) = made(name, accumulated), made(name)
    order = [SHORT, LONG, SHORT, SHORT, ALONE, LONG, LONG, ALONE, SHORT, ALONE, LONG, ALONE]
    kept = []
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
    assert (steps.steps, steps.replayed, steps.pool.captured) == (12, 8, 3)


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


def test_half_precision_loses_nothing_to_copies_of_weights():
    """The losses are those of plain steps; gradients differ by rounding, since copies of weights are not kept."""
    (model, steps), (plain, _) = made("attention"), made("attention")
    for seed in range(3):
        with torch.autocast("cpu", torch.bfloat16):
            torch.manual_seed(seed)
            captured = steps.losses(LONG)
            model.zero_grad()
            steps.backward()
            torch.manual_seed(seed)
            plain.zero_grad()
            assert torch.equal(captured.objective, plain_step(plain, LONG).objective)
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
