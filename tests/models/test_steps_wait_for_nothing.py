"""A training step on a device never waits for a value: its host issues the whole step without looking at any tensor.

Tensors on the device "meta" have shapes and no values, so that whatever needs a value fails on any machine. Tests with
the mark `gpu` do the same on a real device.
"""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from seqlab.data.batch import Examples
from seqlab.layers import packing, recurrent
from seqlab.layers.recurrent import Recurrent
from seqlab.models import gpt
from seqlab.models.bahdanau import Bahdanau
from seqlab.models.context_gru import ContextGRU
from seqlab.models.conv import Conv
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.gpt import GPT
from seqlab.models.luong import Luong
from seqlab.models.objective import Objective
from seqlab.models.training_module import trainable
from seqlab.models.transformer import Transformer
from seqlab.special_tokens import PAD

V, W = 11, 13
PAIRS = Examples.of([([4, 5, 6], [7, 8]), ([9], [12, 4, 5]), ([], [6]), ([6, 6], [])]).batch(np.array([0, 1, 2, 3, -1]))
TEXT = PAIRS._replace(source=torch.full((5, 1), PAD), source_lengths=torch.zeros(5, dtype=torch.long))

RECURRENT = {"width": 6, "dropout": 0.2}
BLOCKS = {"width": 12, "heads": 3, "layers": 2, "feed_forward": 7, "dropout": 0.1, "max_positions": 16}
MODELS = {
    "lstm": (FixedVector, {**RECURRENT, "embedding": 6, "layers": 2, "tied": True, "reverse_source": True}),
    "gru": (FixedVector, {**RECURRENT, "embedding": None, "layers": 3, "cell": "gru"}),
    "context_gru": (ContextGRU, {**RECURRENT, "embedding": 5, "tied": True}),
    "context_lstm": (ContextGRU, {**RECURRENT, "embedding": 5, "cell": "lstm"}),
    "luong": (Luong, {**RECURRENT, "embedding": 5, "layers": 2}),
    "luong, all steps at once": (Luong, {**RECURRENT, "layers": 2, "score": "concat", "input_feeding": False}),
    "luong, dot": (Luong, {**RECURRENT, "cell": "gru", "score": "dot"}),
    "bahdanau": (Bahdanau, {**RECURRENT, "embedding": 6, "layers": 3, "tied": True}),
    "bahdanau, after": (Bahdanau, {**RECURRENT, "embedding": 5, "cell": "gru", "order": "after", "layers": 2}),
    "conv": (Conv, {"width": 6, "embedding": 5, "layers": 2, "max_positions": 16, "dropout": 0.1, "tied": True}),
    "transformer": (Transformer, BLOCKS),
    "transformer, rotary": (Transformer, {**BLOCKS, "positions": "rotary", "normalised": True, "norm": "post"}),
    "transformer, min_gru": (Transformer, {**BLOCKS, "mixer": "min_gru"}),
    "gpt": (GPT, BLOCKS),
    "gpt, gated_linear": (GPT, {**BLOCKS, "mixer": "gated_linear"}),
    "gpt, rotary": (GPT, {**BLOCKS, "positions": "rotary", "activation": "swiglu", "norm": "both", "tied": False}),
    "gpt of plain text": (GPT, {**BLOCKS, "sources": False}),
}
OBJECTIVES = {
    "cross-entropy": Objective(),
    "smoothed": Objective(label_smoothing=0.1),
    "sampled": Objective(teacher_forcing=0.7),
}
LOOKING = {
    "_local_scalar_dense",
    "equal",
    "is_nonzero",
    "item",
    "masked_select",
    "nonzero",
    "bincount",
    "repeat_interleave",
}


class NoQuestions(TorchDispatchMode):
    """Raises where an operation needs values of a tensor on a device, or copies between device and host."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        on_device = [tensor for tensor in tensors if tensor.device.type != "cpu"]
        if on_device:
            masks = name.startswith("index") and any(
                tensor.dtype == torch.bool for tensor in tree_leaves(args[1]) if tensor is not None
            )
            assert name not in LOOKING and not name.startswith("unique") and not masks, (
                f"{name} needs values of a device"
            )
        found = function(*args, **kwargs or {})
        if name in ("_to_copy", "copy_") and args[0].numel():
            devices = {tensor.device.type for tensor in [*tensors, found]}
            assert len(devices) == 1, f"{name} copies between {' and '.join(sorted(devices))}"
        return found


STEPS = [
    *((name, "cross-entropy") for name in MODELS),
    *(
        (name, objective)
        for name in ("lstm", "bahdanau", "gpt", "transformer")
        for objective in ("smoothed", "sampled")
    ),
]


def on_device(name: str, device: str, objective: Objective | None = None):
    """A model that trains, and a batch with padding on both sides, an empty source and a filler row."""
    kind, settings = MODELS[name]
    torch.manual_seed(0)
    model = trainable(kind)(V, W, **settings).train()
    model.configure_training(torch.optim.Adam, objective=objective)
    batch = TEXT if settings.get("sources") is False else PAIRS
    return model.to(device), batch.to(torch.device(device))


@pytest.mark.parametrize(("name", "objective"), STEPS)
def test_a_training_step_looks_at_no_value(name, objective):
    model, batch = on_device(name, "meta", OBJECTIVES[objective])
    with NoQuestions():
        model.loss(batch).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    missing = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not missing


@pytest.mark.parametrize("name", MODELS)
def test_measuring_a_batch_looks_at_no_value(name):
    model, batch = on_device(name, "meta")
    metrics = model.eval().measures["val_split"]
    with NoQuestions():
        metrics.add(*model._teacher_forced(batch))


QUESTIONS = {
    "a number": lambda values: values.sum().item(),
    "whether any": lambda values: bool(values.any()),
    "a copy": lambda values: values.cpu(),
    "a choice by a mask": lambda values: values[values > 0],
    "a change by a mask": lambda values: values.index_put_((values > 0,), torch.ones_like(values[0])),
    "indices": lambda values: values.nonzero(),
    "equality": lambda values: torch.equal(values, values),
    "numbers from the host": lambda values: torch.tensor([1.0]).to(values.device),
    "a copy into the device": lambda values: values.copy_(torch.ones(3)),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_every_question_is_noticed(question):
    with pytest.raises((AssertionError, NotImplementedError, RuntimeError)), NoQuestions():
        question(torch.ones(3, device="meta"))


def test_a_layer_that_packs_rows_again_would_be_noticed(monkeypatch):
    forward = Recurrent.forward
    monkeypatch.setattr(
        Recurrent,
        "forward",
        lambda self, inputs, hidden=None, lengths=None, **rest: forward(
            self, inputs, hidden, None if lengths is None else lengths.cpu(), **rest
        ),
    )
    model, batch = on_device("lstm", "meta")
    with pytest.raises(NotImplementedError, match="no data"), NoQuestions():
        model.loss(batch)


def loss_and_gradients(name: str, device: str) -> list[torch.Tensor]:
    """Without dropout, whose random numbers differ between devices."""
    model, batch = on_device(name, device)
    for module in model.modules():
        if isinstance(module, nn.Dropout | nn.RNNBase):
            setattr(module, "dropout" if isinstance(module, nn.RNNBase) else "p", 0.0)
    loss = model.loss(batch)
    loss.backward()
    return [loss.detach().cpu(), *(parameter.grad.cpu() for parameter in model.parameters())]


@pytest.fixture
def double_precision():
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(dtype)


@pytest.fixture
def as_on_a_device(monkeypatch):
    """Makes models compute on a CPU as they do on a device: through padding, and without looking at lengths."""
    for module in (packing, recurrent, gpt):
        monkeypatch.setattr(module, "values_at_hand", lambda tensor: False)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("name", MODELS)
def test_a_device_computes_the_same_loss_and_gradients_as_a_cpu(name, request):
    expected = loss_and_gradients(name, "cpu")
    request.getfixturevalue("as_on_a_device")
    for one, other in zip(loss_and_gradients(name, "cpu"), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("double_precision")
def test_gpt_masks_sources_that_are_all_empty(request):
    model = GPT(V, W, **{**BLOCKS, "dropout": 0.0})
    plain = model(*TEXT[:2], TEXT.decoder_input)
    request.getfixturevalue("as_on_a_device")
    torch.testing.assert_close(model(*TEXT[:2], TEXT.decoder_input), plain, rtol=0, atol=1e-14)


@pytest.mark.gpu
@pytest.mark.parametrize(("name", "objective"), STEPS)
def test_on_a_gpu_a_training_step_does_not_wait(name, objective):
    model, batch = on_device(name, "cuda", OBJECTIVES[objective])
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    steps = []
    for mode in ("default", "error", "error"):  # a first step may prepare libraries
        torch.cuda.set_sync_debug_mode(mode)
        try:
            optimizer.zero_grad()
            loss = model.loss(batch)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
            optimizer.step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        steps.append(loss.detach())
    assert torch.stack(steps).isfinite().all()


@pytest.mark.gpu
@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("name", MODELS)
def test_a_gpu_computes_what_a_cpu_computes(name):
    for one, other in zip(loss_and_gradients(name, "cuda"), loss_and_gradients(name, "cpu"), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)
