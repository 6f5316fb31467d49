"""The architectures that the contract holds for: every file of conf/model, in small, and their variants."""

import functools

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from support import ROOT

from seqlab.config.component import Component
from seqlab.data.batch import Examples
from seqlab.data.documents import Documents
from seqlab.text.tokenizers import CharacterTokenizer

SMALL = {"width": 13, "embedding": 7, "max_positions": 37}
BLOCKS = {"width": 12, "heads": 3, "layers": 2, "feed_forward": 11}
VARIANTS = {
    "gru": {},
    "lstm": {"layers": 2},
    "lstm-one-hot": {"embedding": None},
    "lstm-reversed": {"reverse_source": True},
    "lstm-tied": {"embedding": 13, "tied": True},
    "context_gru": {},
    "context_gru-lstm": {"cell": "lstm"},
    "context_gru-one-hot": {"embedding": None},
    "context_gru-tied": {"tied": True},
    "bahdanau": {"cell": "lstm", "attention": 11},
    "bahdanau-gru": {"cell": "gru"},
    "bahdanau-forward": {"bidirectional": False, "bridge": False},
    "bahdanau-bridge": {"bidirectional": False, "bridge": True, "cell": "gru"},
    "bahdanau-after": {"order": "after"},
    "bahdanau-after-gru": {"order": "after", "cell": "gru", "bridge": False},
    "bahdanau-tied": {"embedding": 13, "tied": True},
    "bahdanau-layers": {"layers": 2},
    "bahdanau-layers-after": {"layers": 3, "order": "after", "cell": "gru", "bidirectional": False},
    "luong": {"score": "general"},
    "luong-dot": {"score": "dot", "cell": "gru"},
    "luong-concat": {"score": "concat", "layers": 2},
    "luong-unfed": {"input_feeding": False, "cell": "gru"},
    "luong-unfed-dot": {"input_feeding": False, "score": "dot", "layers": 2},
    "luong-unfed-concat": {"input_feeding": False, "score": "concat"},
    "luong-tied": {"embedding": 13, "tied": True, "layers": 2, "cell": "gru"},
    "transformer": BLOCKS,
    "transformer-post": BLOCKS | {"norm": "post", "positions": "learned", "tied": False},
    "transformer-both-rotary": BLOCKS | {"norm": "both", "positions": "rotary", "activation": "swiglu"},
    "transformer-normalised": BLOCKS | {"normalised": True, "activation": "squared_relu"},
    "gpt": BLOCKS,
    "gpt-post-sinusoidal": BLOCKS | {"norm": "post", "positions": "sinusoidal", "activation": "relu", "tied": False},
    "gpt-both-rotary": BLOCKS | {"norm": "both", "positions": "rotary", "activation": "swiglu"},
    "gpt-normalised": BLOCKS | {"normalised": True, "positions": "rotary", "activation": "squared_relu"},
    "conv": {},
    "conv-shallow": {"layers": 1, "kernel": 5, "max_positions": 10},
    "conv-one": {"layers": 2, "kernel": 1},
    "conv-tied": {"layers": 2, "tied": True},
}
SOURCE_SIZE, TARGET_SIZE = 17, 19


@functools.cache
def config(name):
    settings = OmegaConf.load(ROOT / f"conf/model/{name.split('-')[0]}.yaml")
    small = {key: value for key, value in SMALL.items() if key in settings}
    return OmegaConf.merge(settings, small, VARIANTS[name])


@pytest.fixture
def architectures():
    """The names of all that is tested."""
    return list(VARIANTS)


@pytest.fixture(params=VARIANTS)
def model_config(request):
    """The config of an architecture, without its sizes."""
    return config(request.param)


@pytest.fixture(autouse=True)
def _double():
    """In double precision equal means equal: how large an architecture's logits are plays no part."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def model(model_config):
    """An architecture with random weights of a scale at which every part matters."""
    torch.manual_seed(5)
    model = Component.of(model_config, "model").build(source_size=SOURCE_SIZE, target_size=TARGET_SIZE).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.7, 0.7)
    return model


@pytest.fixture
def examples():
    """Eleven random pairs of different lengths, 1 among them."""
    generator = np.random.default_rng(3)

    def draw(size, longest):
        return generator.integers(4, size, generator.integers(1, longest + 1)).tolist()

    pairs = [(draw(SOURCE_SIZE, 5), draw(TARGET_SIZE, 7)) for _ in range(9)]
    return Examples.of([*pairs, ([9], [8]), ([4, 5, 6], [7])])


@pytest.fixture(scope="session")
def running_text(tmp_path_factory):
    """Blocks of a text: there are no sources."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text("".join(f"Sentence {n} is the last but {89 - n}. " for n in range(89)))
    data = Documents(
        CharacterTokenizer.fit, folder / "text.txt", length=7, block=300, batch_size=5, cache=folder / "cache"
    )
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.fixture
def batch(examples):
    return examples.batch(np.arange(len(examples)))
