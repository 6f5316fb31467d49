"""Weight decay: of matrices, and of nothing else."""

import torch

from seqlab.training.optimizers import adamw


def test_without_a_gradient_matrices_shrink_and_vectors_stay():
    layer, table, norm = torch.nn.Linear(3, 5), torch.nn.Embedding(7, 3), torch.nn.LayerNorm(5)
    parts = torch.nn.ModuleList([layer, table, norm])
    before = {name: parameter.detach().clone() for name, parameter in parts.named_parameters()}
    optimizer = adamw(parts.parameters(), lr=0.1, weight_decay=0.5)
    for parameter in parts.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in parts.named_parameters():
        factor = 1 - 0.1 * 0.5 if parameter.dim() == 2 else 1
        torch.testing.assert_close(parameter, factor * before[name])


def test_a_step_is_that_of_torchs_adamw():
    torch.manual_seed(1)
    gradient = torch.randn(5, 3)
    weights = [torch.nn.Parameter(torch.ones(5, 3)) for _ in range(2)]
    settings = {"lr": 0.01, "betas": (0.8, 0.95), "weight_decay": 0.2}
    for weight, optimizer in ((weights[0], adamw), (weights[1], torch.optim.AdamW)):
        weight.grad = gradient.clone()
        optimizer([weight], **settings).step()
    torch.testing.assert_close(*weights)
