"""Every architecture has room for what it is shown: it learns 64 random pairs by heart."""

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from support import ROOT

from seqlab.config.component import Component
from seqlab.data.batch import Examples
from seqlab.metrics.teacher_forced import token_loss
from seqlab.special_tokens import PAD

MODELS = sorted(path.stem for path in (ROOT / "conf/model").glob("*.yaml"))
SMALL = {"width": 64, "embedding": 64, "heads": 4, "layers": 2, "feed_forward": 128, "dropout": 0.0}
SIZE, EXAMPLES = 29, 64
STEPS = 200


def random_pairs():
    """Sources, no two of them alike, and targets that have nothing to do with them.

    There is only memory to go by; and a target's first token, one of seven, cannot be told without the source.
    """
    generator = np.random.default_rng(7)

    def draw():
        return tuple(generator.integers(4, SIZE, generator.integers(3, 10)).tolist())

    sources = [draw() for _ in range(EXAMPLES)]
    assert len(set(sources)) == EXAMPLES
    return Examples.of((source, draw()) for source in sources)


@torch.no_grad()
def token_accuracy(model, batch):
    """The share of target tokens, EOS among them, that are the most probable when those before are told."""
    model.eval()
    right = model(batch.source, batch.source_lengths, batch.target[:, :-1]).argmax(-1) == batch.target[:, 1:]
    model.train()
    return float(right[batch.target[:, 1:] != PAD].float().mean())


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_model_memorises_64_examples(name):
    torch.manual_seed(1)
    settings = OmegaConf.load(ROOT / f"conf/model/{name}.yaml")
    small = {key: value for key, value in SMALL.items() if key in settings}
    model = Component.of(OmegaConf.merge(settings, small), "model").build(source_size=SIZE, target_size=SIZE)
    batch = random_pairs().batch(np.arange(EXAMPLES))
    told, target = batch.target[:, :-1], batch.target[:, 1:]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
    assert token_accuracy(model, batch) < 0.1
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = token_loss(model(batch.source, batch.source_lengths, told), target) / (target != PAD).sum()
        loss.backward()
        optimizer.step()
    assert token_accuracy(model, batch) >= 0.99
