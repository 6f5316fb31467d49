"""Captured searches, done eagerly on their buffers here, find what plain ones find: with every architecture."""

import numpy as np
import pytest
import torch

from seqlab.config.component import Component
from seqlab.decoding import Beam, Greedy, Sample
from seqlab.models.captured_step import CapturedStep
from seqlab.special_tokens import BOS
from seqlab.testing.slow_references import random_examples, with_random_weights

SOURCE, TARGET = 17, 19
SEARCHES = [
    Greedy(max_length=7),
    Sample(max_length=7, n_best=3, top_k=9, top_p=0.9, temperature=1.5),
    Beam(max_length=7, size=4, n_best=2, block_repeats=2),
]


@pytest.fixture(autouse=True)
def _double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_a_captured_search_finds_what_a_plain_one_finds(model_config):
    torch.manual_seed(5)
    model = with_random_weights(Component.of(model_config, "model").build(source_size=SOURCE, target_size=TARGET))
    step = CapturedStep(model, model._step, torch.device("cpu"))
    every = random_examples(SOURCE, TARGET).batch(np.arange(11))
    prompt = torch.cat([torch.full((7, 1), BOS), torch.randint(4, TARGET, (7, 1))], dim=1)
    for captured, search in enumerate(SEARCHES, 1):
        for batch, start in ([slice(7), 1], [slice(4, 11), 2]):
            with torch.inference_mode():
                plain, state, last = model.begin(every.source[batch], every.source_lengths[batch], prompt[:, :start])
                expected, found = search(plain, state, last), search(step, state, last)
            assert step.reason == ""
            assert torch.equal(found.tokens, expected.tokens)
            assert torch.equal(found.lengths, expected.lengths)
            torch.testing.assert_close(found.scores, expected.scores, rtol=0, atol=1e-9)
        assert step.pool.captured == captured  # once, and replayed for the other batch
