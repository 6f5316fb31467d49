"""What is generated and counted, and for whom: of a model that answers by a table, and of one that continues."""

import time

import pytest
import torch
from lightning.pytorch import Trainer

from seqlab.data.documents import Documents
from seqlab.data.text_pairs import TextPairs
from seqlab.decoding import Beam, Greedy, Hypotheses, Sample
from seqlab.metrics.free_running import IdMetrics
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.training_module import trainable
from seqlab.special_tokens import PAD
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import CharacterTokenizer
from seqlab.text.tokenizers.tokenizer import UNKNOWN
from seqlab.training.callbacks.generation_eval import FurtherSearch, GenerationEval

TEXT = (
    "The dog counts no gulls. It sleeps on the ropes until the bell rings, and then it is the first on land. On the way"
    " back there is no fog, and the captain leaves the bell to the boy!"
)
PAIRS = [Pair("a", "xy"), Pair("a", "yx"), Pair("b", "y"), Pair("cc", "xx")]
QUIET = {
    **{"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False},
    "accelerator": "cpu",
}
ANSWERS = {"a": "yx", "b": "x", "cc": "xx"}


class Few(TextPairs):
    def pairs(self):
        return {"train": PAIRS, "val": PAIRS}


class Table(FixedVector):
    """Answers by the table, whatever its weights."""

    def generate(self, source, source_lengths, search):
        data = self.trainer.datamodule
        said = [data.target_tokenizer.encode(ANSWERS[data.source_tokenizer.decode(row)]) for row in source.tolist()]
        width = max(map(len, said))
        tokens = torch.tensor([ids + [PAD] * (width - len(ids)) for ids in said])
        worse = torch.full_like(tokens, PAD)  # only the best output counts
        lengths = torch.tensor([[len(ids), 0] for ids in said])
        return Hypotheses(torch.stack([tokens, worse], 1), lengths, torch.tensor([[-1.0, -2.0]] * len(said)))


@pytest.fixture
def measured(tmp_path):
    """The callback after one validation, and what was logged."""
    data = Few(CharacterTokenizer.fit, cache=tmp_path, eval_batch_size=3)
    data.setup("validate")
    callback = GenerationEval(Greedy(max_length=3))
    trainer = Trainer(callbacks=[callback], **QUIET)
    (logged,) = trainer.validate(
        trainable(Table)(data.source_size, data.target_size, width=5), datamodule=data, verbose=False
    )
    return callback, logged


def test_a_source_is_generated_from_once(measured):
    assert sorted(one.source for one in measured[0].predictions["val"]) == ["a", "b", "cc"]


def test_any_known_target_is_a_match(measured):
    callback, logged = measured
    assert {one.source: one.match for one in callback.predictions["val"]} == {"a": True, "b": False, "cc": True}
    assert logged["val/free_running/exact_match"] == pytest.approx(2 / 3)


def test_token_accuracy_is_against_the_examples_own_target(measured):
    assert measured[1]["val/free_running/token_accuracy"] == pytest.approx(2 / 5)


def test_texts_get_bleu_and_chrf(measured):
    assert {"val/free_running/bleu", "val/free_running/chrf"} <= measured[1].keys()


def test_a_further_search_measures_the_last_split_after_training_only(tmp_path):
    data = Few(CharacterTokenizer.fit, cache=tmp_path, eval_batch_size=3)
    data.setup("validate")
    greedy, beam = GenerationEval(Greedy(max_length=3)), FurtherSearch(Beam(max_length=3), "beam")
    trainer = Trainer(callbacks=[greedy, beam], **QUIET)
    model = trainable(Table)(data.source_size, data.target_size, width=5)
    (validated,) = trainer.validate(model, datamodule=data, verbose=False)
    assert not [name for name in validated if "beam" in name]
    assert greedy.costs == beam.costs == {}
    trainer.datamodule = data
    tested = trainer.test(model, [data.evaluation_loader(split) for split in ("train", "val")], verbose=False)
    metrics = {name: value for one in tested for name, value in one.items()}
    assert metrics["val/beam/exact_match"] == metrics["val/free_running/exact_match"] == pytest.approx(2 / 3)
    assert not [name for name in metrics if name.startswith("train/beam")]
    assert {name: cost["outputs"] for name, cost in greedy.costs.items()} == {"train": 3, "val": 3}
    assert {name: cost["outputs"] for name, cost in beam.costs.items()} == {"val": 3}
    for cost in (*greedy.costs.values(), *beam.costs.values()):
        assert 0 < cost["seconds"] < 60 and cost["per_second"] == 3 / cost["seconds"]
        assert cost["waited"] is None or 0 <= cost["waited"] <= cost["seconds"]


def test_what_is_done_with_outputs_after_they_are_text_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(IdMetrics, "update", lambda *_: time.sleep(0.3))
    data = Few(CharacterTokenizer.fit, cache=tmp_path, eval_batch_size=3)
    data.setup("validate")
    callback = GenerationEval(Greedy(max_length=3))
    trainer = Trainer(callbacks=[callback], **QUIET)
    trainer.datamodule = data
    model = trainable(Table)(data.source_size, data.target_size, width=5)
    trainer.test(model, [data.evaluation_loader("val")], verbose=False)
    assert callback.costs["val"]["seconds"] < 0.3


@pytest.fixture
def stream(tmp_path):
    """Blocks of 8 symbols of a stream, of some of which the second half is generated."""
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    cut = {"split": "tail", "val_share": 0.5, "boundaries": "none", "length": 7}
    data = Documents(CharacterTokenizer.fit, tmp_path / "text.txt", **cut, eval_batch_size=4, cache=tmp_path)
    data.setup("validate")
    return data


@pytest.fixture
def writer(stream):
    """A model that writes whatever its random weights say."""
    torch.manual_seed(3)
    return trainable(FixedVector)(stream.source_size, stream.target_size, width=5)


def block(row):
    """The text of a block of validation; BOS begins the first."""
    text = TEXT[len(TEXT) // 2 :]
    return text[max(0, 7 * row - 1) : 7 * row + 7]


def test_second_halves_of_a_stream_are_continued_and_not_measured(stream, writer):
    callback = GenerationEval(Sample(max_length=99, temperature=3.0))
    trainer = Trainer(callbacks=[callback], **QUIET)
    trainer.datamodule = stream
    (logged,) = trainer.test(writer, [stream.evaluation_loader("val")], verbose=False)
    assert not any("free_running" in name for name in logged)
    said = callback.predictions["val"]
    assert [one.row for one in said] == stream.rows_to_generate("val").nonzero()[0].tolist()
    known = [stream.target_tokenizer.decode(stream.target_tokenizer.encode(block(one.row))) for one in said]
    assert [one.source + one.reference for one in said] == known
    texts = [(one.source, one.prediction, one.reference) for one in said[1:]]
    assert {tuple(len(text.replace(UNKNOWN, "?")) for text in row) for row in texts} == {(4, 4, 4)}
    assert all(one.match is None and one.score < 0 for one in said)


@pytest.mark.parametrize(("samples", "shown"), [(0, 0), (2, 2)])
def test_while_training_a_stream_is_continued_for_samples_alone(stream, writer, capsys, samples, shown):
    callback = GenerationEval(Greedy(max_length=3), samples=samples)
    Trainer(callbacks=[callback], **QUIET).validate(writer, datamodule=stream, verbose=False)
    lines = [line for line in capsys.readouterr().out.splitlines() if "→" in line]
    assert len(lines) == shown
    assert all(line.startswith(f"    {block(row)[-8:-4]}  →  ") for row, line in enumerate(lines))
