"""The architectures that the contract holds for: every file of conf/model, in small, and their variants."""

import functools

import pytest
from omegaconf import OmegaConf
from support import ROOT

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
    "transformer-min-gru": BLOCKS | {"mixer": "min_gru", "layers": 1},
    "transformer-gated-linear": BLOCKS | {"mixer": "gated_linear", "heads": 2, "layers": 1, "norm": "post"},
    "gpt": BLOCKS,
    "gpt-post-sinusoidal": BLOCKS | {"norm": "post", "positions": "sinusoidal", "activation": "relu", "tied": False},
    "gpt-both-rotary": BLOCKS | {"norm": "both", "positions": "rotary", "activation": "swiglu"},
    "gpt-normalised": BLOCKS | {"normalised": True, "positions": "rotary", "activation": "squared_relu"},
    "gpt-min-gru": BLOCKS | {"mixer": "min_gru"},
    "gpt-gated-linear": BLOCKS | {"mixer": "gated_linear", "positions": "sinusoidal", "tied": False},
    "conv": {},
    "conv-shallow": {"layers": 1, "kernel": 5, "max_positions": 10},
    "conv-one": {"layers": 2, "kernel": 1},
    "conv-tied": {"layers": 2, "tied": True},
}


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
