"""An architecture that breaks the contract is told how, in words that whoever wrote it understands."""

import importlib.util
import inspect
import subprocess
import sys

import pytest
import torch
from support import EXAMPLE
from torch import nn
from torch.nn import functional as F

from hydra_pruning_sweeper.installing import install
from seqlab.layers.attention import padding_mask
from seqlab.testing import ArchitectureContract


@pytest.fixture(scope="module")
def my_lab(tmp_path_factory):
    """README's example, imported."""
    path = tmp_path_factory.mktemp("lab") / "my_lab.py"
    path.write_text(EXAMPLE["my_lab.py"], encoding="utf-8")
    spec = importlib.util.spec_from_file_location("my_lab", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def encode(model, source, lengths):
    return type(model).__base__.encode(model, source, lengths).hidden


def decode(model, tokens, hidden):
    logits, state = type(model).__base__.decode(model, tokens, model.state(hidden))
    return logits, state.hidden


def uses_padding(model, source, lengths):
    return model.state(model.source_embedding(source).mean(1))


def divides_by_length(model, source, lengths):
    return model.state(model.source_embedding(source).sum(1) / lengths[:, None])


def always_drops(model, source, lengths):
    return model.state(F.dropout(encode(model, source, lengths)))


def gives_a_tensor(model, source, lengths):
    return encode(model, source, lengths)


def layers_first(model, source, lengths):
    return model.state(encode(model, source, lengths)[None])


def ignores_the_source(model, source, lengths):
    return model.state(torch.zeros_like(encode(model, source, lengths)))


def detaches(model, source, lengths):
    return model.state(encode(model, source, lengths).detach())


def decode_layers_first(model, tokens, state):
    logits, hidden = decode(model, tokens, state.hidden[0])
    return logits, model.state(hidden[None])


def forgets_the_state(model, tokens, state):
    logits, _ = decode(model, tokens, state.hidden)
    return logits, state


def looks_ahead(model, tokens, state):
    logits, hidden = decode(model, tokens, state.hidden)
    return logits + logits.flip(1), model.state(hidden)


def ignores_its_tokens(model, tokens, state):
    logits, hidden = decode(model, torch.ones_like(tokens), state.hidden)
    return logits, model.state(hidden)


def changes_in_place(model, tokens, state):
    logits, hidden = decode(model, tokens, state.hidden)
    state.hidden.copy_(hidden)
    return logits, state


def last_logits_alone(model, tokens, state):
    logits, hidden = decode(model, tokens, state.hidden)
    return logits[:, -1], model.state(hidden)


def keeps_the_wrong_positions(model, tokens, state):
    logits, hidden = decode(model, tokens, state.hidden)
    real = state.packing.indices
    return (logits if real is None else logits.flatten(0, 1)[: len(real)]), model.state(hidden)


BROKEN = [
    ({"encode": gives_a_tensor}, "encode_gives", "encode must return a subclass of State, but returned Tensor"),
    (
        {"encode": layers_first, "decode": decode_layers_first},
        "encode_gives",
        r"must be batch-first, B = 11 here, but the shape of hidden is \(1, 11, 13\)",
    ),
    ({"decode": last_logits_alone}, "encode_gives", r"logits must be \(B, T, V\) = \(11, 8, 19\), but are \(11, 19\)"),
    ({"encode": divides_by_length}, "an_empty_source", "an empty source are not finite: is something divided by its"),
    ({"encode": uses_padding}, "extra_padding", "padding of the source changes the logits: encode and attention must"),
    ({"decode": looks_ahead}, "a_later_target", "logits depend on later tokens: the decoder looks ahead"),
    ({"decode": ignores_its_tokens}, "a_later_target", "decode takes no notice of its tokens"),
    ({"encode": ignores_the_source}, "the_source_matters", "another source gives the same logits: does decode use"),
    ({"encode": always_drops}, "the_same_input", "different logits after eval.*: is dropout always on"),
    ({"decode": forgets_the_state}, "stepwise_logits", "decode must begin from the state it is given, and return the"),
    ({"decode": changes_in_place}, "several_texts", "change no tensor of the old one in place"),
    ({"encode": detaches}, "gradients_reach", "no gradient reaches source_embedding.weight: unused in encode and"),
    ({"decode": keeps_the_wrong_positions}, "leaving_padding_out", "with padding left out logits differ"),
]


@pytest.fixture
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def check(contract, name, monkeypatch):
    """Runs the check of a contract whose name begins so."""
    (test,) = (test for found, test in inspect.getmembers(contract) if found.startswith(f"test_{name}"))
    examples = ArchitectureContract.examples.__wrapped__(contract)
    found = {
        "model": ArchitectureContract.model.__wrapped__(contract),
        "examples": examples,
        "batch": ArchitectureContract.batch.__wrapped__(contract, examples),
        "monkeypatch": monkeypatch,
    }
    test(**{name: found[name] for name in inspect.signature(test).parameters})


def contract_of(my_lab, **methods):
    """The contract of README's example with other methods."""
    model = type("Broken", (my_lab.BagOfSymbols,), {"state": my_lab.BagState, **methods})

    class Contract(ArchitectureContract):
        def build(self, source_size, target_size):
            return model(source_size, target_size, width=13)

    return Contract()


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize(
    ("methods", "name", "message"), BROKEN, ids=[next(iter(m.values())).__name__ for m, *_ in BROKEN]
)
def test_a_broken_architecture_is_told_what_is_wrong(my_lab, monkeypatch, methods, name, message):
    with pytest.raises(AssertionError, match=message):
        check(contract_of(my_lab, **methods), name, monkeypatch)


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize("name", sorted({name for _, name, _ in BROKEN}))
def test_these_checks_pass_where_nothing_is_broken(my_lab, monkeypatch, name):
    check(contract_of(my_lab), name, monkeypatch)


@pytest.mark.usefixtures("_double")
def test_a_parameter_without_a_use_is_named(my_lab, monkeypatch):
    def with_a_spare_layer(self, *sizes, **settings):
        my_lab.BagOfSymbols.__init__(self, *sizes, **settings)
        self.spare = nn.Linear(2, 3)

    with pytest.raises(AssertionError, match=r"no gradient reaches spare\.weight, spare\.bias"):
        check(contract_of(my_lab, __init__=with_a_spare_layer), "gradients_reach", monkeypatch)


@pytest.fixture
def normalises_the_batch(my_lab):
    """An encoder with statistics over a batch of sources, of its real positions alone or of all."""

    def methods(real_alone):
        def with_statistics(self, *sizes, **settings):
            my_lab.BagOfSymbols.__init__(self, *sizes, **settings)
            self.norm = nn.BatchNorm1d(13)

        def encode(model, source, lengths):
            vectors, real = model.source_embedding(source), padding_mask(lengths, source.size(1))
            if real_alone:
                vectors[real] = model.norm(vectors[real])
            else:
                vectors = model.norm(vectors.transpose(1, 2)).transpose(1, 2)
            return model.state((vectors * real[..., None]).sum(1))

        return {"__init__": with_statistics, "encode": encode}

    return methods


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize(("real_alone", "what"), [(False, "padding has"), (True, "other rows have")])
def test_statistics_over_a_batch_are_seen_in_training(my_lab, monkeypatch, normalises_the_batch, real_alone, what):
    contract = contract_of(my_lab, **normalises_the_batch(real_alone))
    check(contract, "extra_padding", monkeypatch)
    check(contract, "a_row_alone", monkeypatch)
    with pytest.raises(AssertionError, match=f"in training {what} an effect on logits"):
        check(contract, "in_training_too", monkeypatch)


@pytest.mark.usefixtures("_double")
def test_dropout_is_no_effect_of_padding_and_other_noise_is_not_judged(my_lab, monkeypatch):
    def with_dropout(self, *sizes, **settings):
        my_lab.BagOfSymbols.__init__(self, *sizes, **settings)
        self.drop = nn.Dropout(0.5)

    def drops(model, source, lengths):
        return model.state(model.drop(encode(model, source, lengths)))

    check(contract_of(my_lab, __init__=with_dropout, encode=drops), "in_training_too", monkeypatch)
    with pytest.raises(pytest.skip.Exception, match="draws random numbers by other means"):
        check(contract_of(my_lab, encode=always_drops), "in_training_too", monkeypatch)


def test_without_pytest_one_line_says_what_to_type():
    code = "import sys; sys.modules['pytest'] = None; import seqlab.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    line = f"ModuleNotFoundError: seqlab.testing needs pytest, which is not installed; type {install('pytest')}"
    assert done.stderr.splitlines()[-1] == line
    assert done.returncode == 1
