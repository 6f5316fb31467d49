"""Optimizers that treat matrices differently."""

import pytest
import torch
from omegaconf import OmegaConf
from support import ROOT

from seqlab.config.component import Component
from seqlab.optim.optimizers import Muon, adamw


def parts():
    torch.manual_seed(1)
    return torch.nn.ModuleDict(
        {
            "input": torch.nn.ModuleDict({"table": torch.nn.Embedding(7, 3)}),
            "layer": torch.nn.Linear(3, 5),
            "norm": torch.nn.LayerNorm(5),
            "output": torch.nn.Linear(5, 7),
        }
    )


def with_gradients(model, seed, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = scale * torch.randn(parameter.shape, generator=generator)
    return model


def weights(model):
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def test_without_a_gradient_matrices_shrink_and_vectors_stay():
    model = with_gradients(parts(), 1, scale=0.0)
    before = weights(model)
    adamw(model.named_parameters(), lr=0.1, weight_decay=0.5).step()
    for name, after in weights(model).items():
        factor = 1 - 0.1 * 0.5 if after.dim() == 2 else 1
        torch.testing.assert_close(after, factor * before[name])


def test_a_step_on_a_matrix_is_that_of_torchs_adamw():
    settings = {"lr": 0.01, "betas": (0.8, 0.95), "weight_decay": 0.2}
    ours, theirs = (with_gradients(torch.nn.Linear(3, 5, bias=False), 2) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    adamw(ours.named_parameters(), **settings).step()
    torch.optim.AdamW(theirs.parameters(), **settings).step()
    torch.testing.assert_close(ours.weight, theirs.weight)


def orthogonal(matrix):
    """The nearest orthogonal matrix, by singular values."""
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    return left @ right


def test_muon_steps_inner_matrices_in_orthogonal_directions_of_adams_size():
    model = with_gradients(parts(), 3)
    before = weights(model)
    Muon(model.named_parameters(), lr=0.01, weight_decay=0.0).step()
    step = (before["layer.weight"] - model["layer"].weight.detach()) / (0.01 * 0.2 * 5**0.5)
    # Of the first step the momentum is the gradient. torch finds the orthogonal matrix by five iterations in half
    # precision that leave singular values between about 0.7 and 1.2.
    values = torch.linalg.svdvals(step)
    assert values.min() > 0.6
    assert values.max() < 1.3
    cosine = torch.nn.functional.cosine_similarity(step.flatten(), orthogonal(model["layer"].weight.grad).flatten(), 0)
    assert cosine > 0.95


def test_muon_leaves_embeddings_vectors_and_the_output_to_adamw():
    ours, theirs = (with_gradients(parts(), 4) for _ in range(2))
    Muon(ours.named_parameters(), lr=0.01, betas=(0.9, 0.99), weight_decay=0.1).step()
    adamw(theirs.named_parameters(), lr=0.01, betas=(0.9, 0.99), weight_decay=0.1).step()
    expected = weights(theirs)
    for name, after in weights(ours).items():
        same = torch.allclose(after, expected[name])
        assert same != (name == "layer.weight"), name


def test_muon_goes_on_from_its_state_as_if_it_had_not_stopped():
    def run(model, optimizer, seeds):
        for seed in seeds:
            with_gradients(model, seed)
            optimizer.step()

    whole, halved = parts(), parts()
    run(whole, Muon(whole.named_parameters()), range(6))
    first = Muon(halved.named_parameters())
    run(halved, first, range(3))
    second = Muon(halved.named_parameters(), lr=1.0)
    second.load_state_dict(first.state_dict())
    run(halved, second, range(3, 6))
    for name, expected in weights(whole).items():
        torch.testing.assert_close(weights(halved)[name], expected, rtol=0, atol=0)


def test_a_schedule_reaches_both_parts_of_muon():
    model = with_gradients(parts(), 5)
    optimizer = Muon(model.named_parameters(), lr=0.5)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.0)
    before = weights(model)
    optimizer.step()
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.0, 0.0, 0.0]
    for name, after in weights(model).items():
        torch.testing.assert_close(after, before[name], rtol=0, atol=0)


def test_muon_needs_inner_matrices():
    with pytest.raises(ValueError, match="matrices between input and output"):
        Muon(torch.nn.LayerNorm(5).named_parameters())


def configured(name, model):
    config = OmegaConf.load(ROOT / f"conf/optimizer/{name}.yaml")
    return Component.of(config, "optimizer").build()(model.named_parameters())


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_a_step_is_one_kernel_where_torch_has_one(name):
    assert all(group["fused"] for group in configured(name, parts()).param_groups)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "muon"])
def test_a_state_goes_on_on_another_device(name):
    """From a CPU to a GPU and back: steps equal those on the CPU alone."""
    stays, moves = parts(), parts()
    optimizers = [configured(name, stays), configured(name, moves)]
    for step, device in enumerate(("cpu", "cuda", "cpu")):
        state = optimizers[1].state_dict()
        moves.to(device)
        optimizers[1] = configured(name, moves)
        if step:
            optimizers[1].load_state_dict(state)
        with_gradients(stays, step)
        for own, other in zip(moves.parameters(), stays.parameters(), strict=True):
            own.grad = other.grad.to(device)
        for optimizer in optimizers:
            optimizer.step()
    for own, other in zip(moves.parameters(), stays.parameters(), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)
