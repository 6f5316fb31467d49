"""Captured searches, done eagerly on their buffers here, against plain ones: for every architecture."""

import numpy as np
import pytest
import torch

from seqlab.config.component import Component
from seqlab.decoding import Greedy, Sample
from seqlab.decoding.captured import CapturableStep
from seqlab.models.captured_step import CapturedStep
from seqlab.special_tokens import BOS
from seqlab.testing.slow_references import random_examples, with_random_weights

SOURCE, TARGET, LONGEST = 17, 19, 9
SEARCHES = {
    "greedy": Greedy(max_length=LONGEST),
    "greedy, not too short": Greedy(max_length=LONGEST, min_length=5),
    "greedy, one token": Greedy(max_length=1),
    "sample": Sample(max_length=LONGEST, seed=3),
    "sample, some": Sample(max_length=LONGEST, n_best=3, top_k=9, top_p=0.9, temperature=1.5),
}
PROMPTS = {"from BOS": 1, "from a prompt": 4}


@pytest.fixture
def model(model_config):
    torch.manual_seed(5)
    component = Component.of(model_config, "model")
    return with_random_weights(component.build(source_size=SOURCE, target_size=TARGET))


def sources(seed, rows=7):
    """Random sources, all batches of a number of rows of one shape."""
    examples = random_examples(SOURCE, TARGET)
    generator = np.random.default_rng(seed)
    chosen = [int(generator.integers(len(examples))) for _ in range(rows - 1)]
    longest = max(range(len(examples)), key=lambda row: int(examples.batch(np.array([row])).source_lengths))
    batch = examples.batch(np.array([*chosen, longest]))
    return batch.source, batch.source_lengths


def prompts(rows, length, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.cat(
        [torch.full((rows, 1), BOS), torch.randint(4, TARGET, (rows, length - 1), generator=generator)], dim=1
    )


@torch.inference_mode()
def both(model, step, search, seed, prompt=1, rows=7):
    """The outputs of plain and of captured search."""
    source, lengths = sources(seed, rows)
    plain, state, start = model.begin(source, lengths, prompts(rows, prompt, seed))
    return search(plain, state, start), search(step, state, start)


def assert_same(plain, captured):
    assert torch.equal(captured.tokens, plain.tokens)
    assert torch.equal(captured.lengths, plain.lengths)
    torch.testing.assert_close(captured.scores, plain.scores, rtol=1e-6, atol=2e-6)


def capturable(model):
    step = CapturedStep(model, model._step, torch.device("cpu"))
    assert isinstance(step, CapturableStep)
    return step


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=list(PROMPTS))
@pytest.mark.parametrize("search", SEARCHES.values(), ids=list(SEARCHES))
def test_a_captured_search_finds_what_a_plain_one_finds(model, search, prompt):
    step = capturable(model)
    for seed in (1, 2, 1):
        assert_same(*both(model, step, search, seed, prompt))
    assert step.reason == ""
    assert step.pool.captured == (search.max_length > 1)  # once, and replayed for the other batches
    assert_same(*both(model, step, search, seed=3, prompt=prompt, rows=1))
    assert step.reason == ""
