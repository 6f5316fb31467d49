"""What training minimises, against the formulas written out and against an explicit loop."""

import pytest
import torch

from seqlab.decoding import Greedy
from seqlab.models.bahdanau import Bahdanau
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.objective import Objective, sampled_logits, token_losses
from seqlab.special_tokens import BOS, EOS, PAD

V, W = 13, 17
SOURCE = torch.tensor([[4, 5, 6], [7, 8, 0], [9, 0, 0]])
LENGTHS = torch.tensor([3, 2, 1])
TOLD = torch.tensor([[BOS, 5, 6, 7, 8], [BOS, 9, 4, 16, PAD], [BOS, 11, PAD, PAD, PAD]])


def decoder(kind, seed=1):
    """A model in double precision with weights large enough that it says different things."""
    torch.manual_seed(seed)
    model = kind(V, W, width=11, embedding=7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-2, 2)
    return model.double().eval()


def smoothed_by_hand(logits, target, smoothing):
    """Token by token and class by class: the cross-entropy between the mixed target and the softmax."""
    total = 0.0
    for row, tokens in zip(logits, target, strict=True):
        for scores, token in zip(row, tokens.tolist(), strict=True):
            if token == PAD:
                continue
            p = scores.exp() / scores.exp().sum()
            wanted = [(1 - smoothing) * (v == token) + smoothing / len(p) for v in range(len(p))]
            total -= sum(q * float(p[v].log()) for v, q in enumerate(wanted))
    return total


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_label_smoothing_equals_the_formula(smoothing):
    torch.manual_seed(2)
    logits, target = 3 * torch.randn(3, 5, W, dtype=torch.double), torch.randint(4, W, (3, 5))
    target[1, 3:] = target[2, 1:] = PAD
    minimised, plain = token_losses(logits, target, smoothing)
    assert float(minimised) == pytest.approx(smoothed_by_hand(logits, target, smoothing), abs=1e-10)
    assert float(plain) == pytest.approx(smoothed_by_hand(logits, target, 0.0), abs=1e-10)


def test_smoothing_gives_padding_no_gradient():
    logits = torch.randn(2, 3, W, dtype=torch.double, requires_grad=True)
    target = torch.tensor([[5, 6, 7], [8, PAD, PAD]])
    token_losses(logits, target, 0.2)[0].backward()
    assert (logits.grad.abs().sum(-1) > 0).tolist() == (target != PAD).tolist()


def sampled_by_loop(model, told_by_teacher):
    """Row by row and token by token; `told_by_teacher[row][t]` says who speaks the token at t."""
    rows = []
    for row in range(len(SOURCE)):
        state = model.encode(SOURCE[row : row + 1, : LENGTHS[row]], LENGTHS[row : row + 1])
        own, logits = None, []
        for t in range(TOLD.size(1)):
            token = int(TOLD[row, t]) if t == 0 or told_by_teacher[row][t] else own
            step, state = model.decode(torch.tensor([[token]]), state)
            step = step.detach()
            logits.append(step[0, 0])
            own = max((v for v in range(W) if v not in (PAD, BOS)), key=lambda v, scores=step[0, 0]: float(scores[v]))
        rows.append(torch.stack(logits).detach())
    return torch.stack(rows)


@pytest.mark.parametrize("kind", [FixedVector, Bahdanau])
@pytest.mark.parametrize("ratio", [0.0, 0.4, 1.0])
def test_scheduled_sampling_equals_a_loop(kind, ratio):
    model = decoder(kind)
    torch.manual_seed(19)
    found = sampled_logits(model.decode, model.encode(SOURCE, LENGTHS), TOLD, ratio)
    torch.manual_seed(19)
    by_teacher = (torch.rand(TOLD.shape) < ratio).tolist()
    torch.testing.assert_close(found, sampled_by_loop(model, by_teacher), rtol=0, atol=1e-10)


def test_told_everything_it_is_teacher_forcing():
    model = decoder(Bahdanau)
    found = sampled_logits(model.decode, model.encode(SOURCE, LENGTHS), TOLD, 1.0)
    torch.testing.assert_close(found, model(SOURCE, LENGTHS, TOLD), rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", [FixedVector, Bahdanau])
def test_told_nothing_it_runs_free(kind):
    """Fed with its own prefixes it holds most probable, at each step, what greedy search says."""
    model = decoder(kind)
    own = sampled_logits(model.decode, model.encode(SOURCE, LENGTHS), TOLD, 0.0)
    own[..., [PAD, BOS]] = -torch.inf
    said = own.argmax(-1)
    found = model.generate(SOURCE, LENGTHS, Greedy(max_length=TOLD.size(1)))
    for row, length in enumerate(found.lengths[:, 0].tolist()):
        assert said[row, :length].tolist() == found.tokens[row, 0, :length].tolist()
        assert length == TOLD.size(1) or said[row, length] == EOS
    assert len(set(said.flatten().tolist())) > 3  # it does not say one thing for ever


def test_the_choice_carries_no_gradient_and_the_rest_does():
    model = decoder(Bahdanau)
    logits = sampled_logits(model.decode, model.encode(SOURCE, LENGTHS), TOLD, 0.0)
    logits[:, -1].square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.encoder.parameters())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_smoothing": 1.0}, "label_smoothing must be at least 0 and below 1, but is 1.0"),
        ({"label_smoothing": -0.1}, "label_smoothing must be at least 0 and below 1, but is -0.1"),
        ({"teacher_forcing": 1.5}, "teacher_forcing must be 0 to 1, but is 1.5"),
    ],
)
def test_a_share_that_is_none_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Objective(**settings)
