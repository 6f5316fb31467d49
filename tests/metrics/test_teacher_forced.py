import math

import pytest
import torch

from seqlab.metrics.teacher_forced import TeacherForced, token_loss
from seqlab.special_tokens import PAD

V = 11


def logits_of(probabilities: list[list[list[float]]]) -> torch.Tensor:
    """Logits whose softmax is given, up to an arbitrary constant."""
    return torch.tensor(probabilities).log() + 7


def random_batch(batch: int, steps: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(1, V, (batch, steps), generator=generator)
    for row, length in enumerate(torch.randint(1, steps + 1, (batch,), generator=generator).tolist()):
        target[row, length:] = PAD
    return 3 * torch.randn(batch, steps, V, generator=generator), target


def values(metrics) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.compute().items()}


def by_hand(logits: torch.Tensor, target: torch.Tensor) -> dict[str, float]:
    total, tokens, right = 0.0, 0, 0
    for row, ids in zip(logits.tolist(), target.tolist(), strict=True):
        for scores, i in zip(row, ids, strict=True):
            if i != PAD:
                total += math.log(sum(math.exp(score) for score in scores)) - scores[i]
                tokens += 1
                right += scores.index(max(scores)) == i
    return {"loss": total / tokens, "perplexity": math.exp(total / tokens), "token_accuracy": right / tokens}


def test_three_tokens_computed_by_hand():
    # The true classes have probabilities ½, ¼ and ⅛; the first alone is the most probable.
    probabilities = [[[0.1, 0.5, 0.4], [0.05, 0.7, 0.25]], [[0.375, 0.125, 0.5], [0.8, 0.1, 0.1]]]
    target = torch.tensor([[1, 2], [1, PAD]])
    metrics = TeacherForced(3, "val/")
    metrics.add(logits_of(probabilities), target)
    assert values(metrics) == pytest.approx(
        {"val/loss": 2 * math.log(2), "val/perplexity": 4.0, "val/token_accuracy": 1 / 3}, rel=1e-5
    )


def test_bits_per_byte_are_the_bits_of_all_tokens_over_the_bytes_of_their_text():
    # Three tokens that stand for 5 bytes: log₂ 2 + log₂ 4 + log₂ 8 = 6 bits.
    probabilities = [[[0.1, 0.5, 0.4], [0.05, 0.7, 0.25]], [[0.375, 0.125, 0.5], [0.8, 0.1, 0.1]]]
    metrics = TeacherForced(3, "")
    metrics.measure_bytes(tokens_per_byte=3 / 5)
    metrics.add(logits_of(probabilities), torch.tensor([[1, 2], [1, PAD]]))
    assert values(metrics)["bits_per_byte"] == pytest.approx(6 / 5)


def test_the_metrics_equal_a_plain_loop():
    logits, target = random_batch(7, 5, seed=1)
    metrics = TeacherForced(V, "")
    metrics.add(logits, target)
    assert (target == PAD).any()
    assert values(metrics) == pytest.approx(by_hand(logits, target), rel=1e-5)


def test_the_summed_loss_is_the_mean_times_the_tokens():
    logits, target = random_batch(7, 5, seed=1)
    tokens = int((target != PAD).sum())
    assert float(token_loss(logits, target)) == pytest.approx(tokens * by_hand(logits, target)["loss"], rel=1e-5)


def test_what_stands_on_padding_does_not_count():
    logits, target = random_batch(7, 5, seed=2)
    changed = torch.where((target == PAD)[..., None], 100 * torch.randn_like(logits), logits)
    assert not torch.equal(changed, logits)
    one, other = TeacherForced(V, ""), TeacherForced(V, "")
    one.add(logits, target)
    other.add(changed, target)
    assert values(one) == pytest.approx(values(other), rel=1e-6)


def test_a_prediction_of_padding_is_wrong():
    metrics = TeacherForced(3, "")
    metrics.add(logits_of([[[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]]]), torch.tensor([[1, 1]]))
    assert values(metrics)["token_accuracy"] == 0.5


def test_two_batches_of_different_shape_count_as_their_concatenation():
    first, second = random_batch(3, 7, seed=3), random_batch(5, 2, seed=4)
    metrics = TeacherForced(V, "")
    for logits, target in (first, second):
        metrics.add(logits, target)
    logits = torch.cat([torch.nn.functional.pad(one, (0, 0, 0, 7 - one.size(1))) for one in (first[0], second[0])])
    target = torch.cat([torch.nn.functional.pad(one, (0, 7 - one.size(1))) for one in (first[1], second[1])])
    assert values(metrics) == pytest.approx(by_hand(logits, target), rel=1e-5)
    means = [by_hand(*batch)["loss"] for batch in (first, second)]
    assert values(metrics)["loss"] != pytest.approx(sum(means) / 2, rel=1e-3), "not the mean of means"


def test_after_a_reset_earlier_batches_are_forgotten():
    first, second = random_batch(3, 7, seed=3), random_batch(5, 2, seed=4)
    metrics = TeacherForced(V, "")
    metrics.add(*first)
    metrics.reset()
    metrics.add(*second)
    assert values(metrics) == pytest.approx(by_hand(*second), rel=1e-5)


def test_a_batch_of_filler_changes_nothing():
    logits, target = random_batch(3, 5, seed=5)
    metrics = TeacherForced(V, "")
    metrics.add(logits, target)
    before = values(metrics)
    metrics.add(logits, torch.full_like(target, PAD))
    assert values(metrics) == pytest.approx(before, rel=1e-6)


def test_the_loss_of_no_tokens_is_zero_and_not_nan():
    metrics = TeacherForced(V, "")
    metrics.add(torch.randn(2, 3, V), torch.full((2, 3), PAD))
    assert values(metrics)["loss"] == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_loss_of_half_precision_logits_is_summed_in_single_precision(dtype):
    logits, target = random_batch(7, 5, seed=6)
    rounded = logits.to(dtype)
    assert token_loss(rounded, target).dtype == torch.float32
    assert float(token_loss(rounded, target)) == float(token_loss(rounded.float(), target))


def test_perplexity_is_the_exponential_of_the_loss_in_half_precision_too():
    logits, target = random_batch(7, 5, seed=6)
    metrics = TeacherForced(V, "")
    metrics.add(logits.bfloat16(), target)
    assert values(metrics) == pytest.approx(by_hand(logits.bfloat16().float(), target), rel=1e-5)
