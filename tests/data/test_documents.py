import functools
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np
import pytest

from seqlab.data import documents
from seqlab.data.documents import Documents
from seqlab.errors import InputError
from seqlab.special_tokens import BOS, EOS
from seqlab.text.tokenizers import ByteTokenizer, CharacterTokenizer, SentencePieceTokenizer, WordTokenizer

SUBWORDS = functools.partial(SentencePieceTokenizer.fit, vocabulary_size=320)
DOCUMENTS, SENTENCES = 7, 23
STORY = ["Once there was a cat.", "It slept all day.", "At night it went out.", "Then it rained."]
ODD = "  An odd\r\nfile. Later\n\n\n\tWith é, İ and “marks”; no end" + " of it" * 90 + "\n \nLast"


def sentence(document, number):
    return f"Note {number} of document {document} says {'so ' * (number % 5)}much."


@pytest.fixture
def folder(tmp_path):
    """Documents of which every sentence is another one, and a story."""
    folder = tmp_path / "notes"
    folder.mkdir()
    for document in range(DOCUMENTS):
        lines = [sentence(document, number) + ("\n\n" if number % 4 == 3 else " ") for number in range(SENTENCES)]
        (folder / f"{document}.md").write_text("".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "story.txt").write_text("\n".join(STORY), encoding="utf-8")
    (tmp_path / "odd.txt").write_text(ODD, encoding="utf-8", newline="")
    return folder


@pytest.fixture
def load(folder, tmp_path):
    def load(tokenizer=CharacterTokenizer.fit, path=folder, **settings) -> Documents:
        data = Documents(tokenizer, path, cache=tmp_path / "cache", **{"block": 300, "length": 16, **settings})
        data.prepare_data()
        data.setup("fit")
        return data

    return load


def stream(data, split):
    return data.examples[split].stream[:].tolist()


def pieces(ids):
    """The ids between BOS and EOS."""
    while ids:
        end = ids.index(EOS)
        assert ids[0] == BOS
        yield ids[1:end]
        ids = ids[end + 1 :]


def sentences_of(data, split):
    return [text for run in data.texts.runs(split) for text in data.texts.sentences_of(run)]


ALL = {sentence(document, number) for document in range(DOCUMENTS) for number in range(SENTENCES)}


# Splitting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["block", "document", "tail"])
def test_every_sentence_is_in_one_split(load, split):
    data = load(split=split, val_share=0.25)
    train, val = (sentences_of(data, name) for name in ("train", "val"))
    assert len(train) + len(val) == len(ALL)
    assert {*train, *val} == ALL
    assert 0.1 < len(val) / len(ALL) < 0.4
    assert data.splits == ["train", "val"]


def test_documents_are_held_out_whole_and_the_tail_is_the_end(load):
    val = sentences_of(load(split="document", val_share=0.25), "val")
    held_out = {text.split()[4] for text in val}
    assert len(val) == SENTENCES * len(held_out)
    tail = sentences_of(load(split="tail", val_share=0.2), "val")
    assert tail == [sentence(d, n) for d in range(DOCUMENTS) for n in range(SENTENCES)][-len(tail) :]


def test_blocks_are_of_consecutive_sentences(load):
    data = load(val_share=0.25, seed=1)
    runs = [list(run) for run in data.texts.runs("val")]
    assert 3 < len(runs) < 15
    for run in runs:
        numbers = [int(text.split()[1]) for text in run]
        assert numbers == list(range(numbers[0], numbers[0] + len(run)))
    assert runs != [list(run) for run in load(val_share=0.25, seed=2).texts.runs("val")]


def test_with_split_folder_the_other_text_is_val_and_held_out_blocks_are_val_other(load, tmp_path):
    story = tmp_path / "story.txt"
    block, both = load(), load(validation_path=story)
    folder = load(split="folder", validation_path=story)
    assert both.splits == folder.splits == ["train", "val", "val_other"]
    assert sentences_of(both, "val_other") == sentences_of(folder, "val") == STORY
    assert sentences_of(both, "val") == sentences_of(folder, "val_other")
    assert stream(block, "train") == stream(both, "train") == stream(folder, "train")
    alone = load(split="folder", validation_path=story, val_share=0)
    assert alone.splits == ["train", "val"]
    assert {*sentences_of(alone, "train")} == ALL


def test_training_documents_are_shuffled_and_validation_keeps_its_order(load):
    data = load(split="document", val_share=0.4)
    order = {split: list(dict.fromkeys(text.split()[4] for text in sentences_of(data, split)))
             for split in data.splits}  # fmt: skip
    assert order["train"] != sorted(order["train"])
    assert order["val"] == sorted(order["val"])


@pytest.mark.parametrize("planted", [0.1, 0.5, 1.0])
def test_the_share_planted_of_validation_is_added_to_training(load, planted):
    clean, data = load(val_share=0.3), load(val_share=0.3, planted=planted)
    train, val = sentences_of(data, "train"), sentences_of(data, "val")
    assert val == sentences_of(clean, "val")
    copies = [text for text in val if text in train]
    assert len(copies) == int(planted * len(val))
    assert sorted(train) == sorted([*sentences_of(clean, "train"), *copies])
    assert np.ptp(np.diff([val.index(text) for text in copies])) <= 1, "evenly spread"


def test_a_smaller_fraction_is_the_beginning_of_a_larger_one_and_all_else_is_equal(load, tmp_path):
    parts = [load(SUBWORDS, fraction=fraction) for fraction in (0.1, 0.33, 1.0)]
    streams = [stream(data, "train") for data in parts]
    for data, part in zip(parts, streams, strict=True):
        assert part == streams[-1][: len(part)]
        assert len(part) == pytest.approx(data.fraction * len(streams[-1]), abs=1)
        assert stream(data, "val") == stream(parts[-1], "val")
        assert data.tokens_per_byte("train") == parts[-1].tokens_per_byte("train")
        assert max(batch.rows.max() for batch in data.train_dataloader()) + 16 < len(part)
    assert len(list((tmp_path / "cache").glob("notes-*"))) == 1


def test_merges_are_skipped_in_training_text_only(load):
    plain, data = load(SUBWORDS), load(SUBWORDS, bpe_dropout=0.3)
    again = load(SUBWORDS, bpe_dropout=0.3, path=plain.path, length=7)
    assert stream(data, "val") == stream(plain, "val")
    assert len(stream(data, "train")) > 1.1 * len(stream(plain, "train"))
    assert stream(data, "train") == stream(again, "train")
    texts = [[data.target_tokenizer.decode(ids) for ids in pieces(stream(one, "train"))] for one in (plain, data)]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("fraction", [1.0, 0.3])
def test_passages_are_whole_tokens_of_the_text_that_is_trained_on_in_pieces(load, fraction):
    data = load(SUBWORDS, bpe_dropout=0.3, fraction=fraction)
    parts = [sides["sentences"] for sides in data.passages("train")]
    trained = sum(i == EOS for i in stream(data, "train"))
    sentences = [text for part in parts for text in part.sentences]
    assert trained <= len(sentences) <= trained + 1
    [tokens] = [part.tokens.values.tolist() for part in parts]
    assert tokens == [i for text in sentences for i in data.target_tokenizer.encode(text)]


def test_documents_can_be_chosen(load):
    data = load(include=("[12].md",))
    assert {text.split()[4] for split in data.splits for text in sentences_of(data, split)} == {"1", "2"}


# Tokens --------------------------------------------------------------------------------------------------------

tokenizers = pytest.mark.parametrize("tokenizer", [CharacterTokenizer.fit, ByteTokenizer.fit, SUBWORDS])


@tokenizers
def test_without_boundaries_a_file_is_recovered_byte_for_byte(load, tmp_path, tokenizer):
    data = load(tokenizer, tmp_path / "odd.txt", split="tail", boundaries="none")
    train, val = (data.target_tokenizer.decode(stream(data, split)) for split in ("train", "val"))
    assert train == ODD[: int(0.9 * len(ODD))]
    assert val == ODD[int(0.9 * len(ODD)) :]


@tokenizers
def test_documents_are_recovered_between_their_boundaries(load, folder, tokenizer):
    data = load(tokenizer, split="document", boundaries="document")
    texts = [data.target_tokenizer.decode(ids) for split in data.splits for ids in pieces(stream(data, split))]
    assert sorted(texts) == sorted(path.read_text() for path in folder.iterdir())


@tokenizers
def test_sentences_are_recovered_between_their_boundaries(load, tokenizer):
    data = load(tokenizer)
    for split in data.splits:
        texts = [data.target_tokenizer.decode(ids) for ids in pieces(stream(data, split))]
        assert texts == sentences_of(data, split)


@pytest.mark.parametrize("boundaries", ["sentence", "document", "none"])
def test_a_stream_begins_with_bos(load, boundaries):
    data = load(boundaries=boundaries, split="document")
    for split in data.splits:
        assert data.examples[split].stream[0:1].tolist() == [BOS]


def test_the_tokenizer_is_learnt_from_training_only(load, tmp_path):
    data = load(CharacterTokenizer.fit, tmp_path / "odd.txt", split="tail", boundaries="none", val_share=0.95)
    assert set(data.target_tokenizer.symbols) == set(ODD[: int((1 - 0.95) * len(ODD))])


def test_case_may_be_lost(load):
    data = load(functools.partial(SUBWORDS, lower=True))
    assert data.target_tokenizer.decode(stream(data, "val")).islower()


def test_bits_per_byte_count_every_byte(load, tmp_path):
    odd = tmp_path / "odd.txt"
    settings = {"split": "tail", "boundaries": "none"}
    assert load(ByteTokenizer.fit, odd, **settings).tokens_per_byte("val") == 1
    data = load(ByteTokenizer.fit, odd, context=5, **settings)  # an EOS a chunk besides
    size = len(ODD[int(0.9 * len(ODD)) :].encode())
    assert data.tokens_per_byte("val") == (size + len(data.examples["val"])) / size
    for tokenizer in (ByteTokenizer.fit, CharacterTokenizer.fit, SUBWORDS):
        data = load(tokenizer)
        for split in data.splits:
            size = sum(len(text.encode()) + 1 for text in sentences_of(data, split))
            assert data.tokens_per_byte(split) == (len(stream(data, split)) - 1) / size
    assert load(WordTokenizer.fit).tokens_per_byte("val") is None


def test_evaluation_has_every_token_as_a_label_once_whatever_the_stride(load):
    for stride in (None, 16, 7, 1):
        data = load(stride=stride, eval_batch_size=11)
        [loader] = data.val_dataloader()
        found = sorted(
            (place, int(token))
            for batch in loader
            for row, tokens in zip(batch.rows.tolist(), batch.labels, strict=True)
            for place, token in enumerate(tokens, row * data.stride + 1)
            if token
        )
        assert found == list(enumerate(stream(data, "val")))[1:]


def test_context_gives_every_model_pairs(load):
    data = load(context=9)
    assert data.has_bos_eos
    assert data.boundaries == "none"
    val = data.examples["val"]
    for row in range(1, len(val)):
        before, after = data.source_text("val", row), data.references("val", row)[0]
        text = data.target_tokenizer.decode(stream(data, "val"))
        assert text[row * 16 - 9 : row * 16] == before
        assert text[row * 16 : row * 16 + 16] == after
    assert data.rows_to_generate("val").all()


# Batches -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [0, 5])
@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_every_batch(load, context, world_size):
    ranks = []
    for rank in range(world_size):
        ranks.append(load(context=context))
        ranks[-1].trainer = SimpleNamespace(global_rank=rank, world_size=world_size, overfit_batches=0)
    whole = load(context=context)
    for loader in ("train_dataloader", "val_dataloader"):
        loaders = [getattr(data, loader)() for data in (whole, *ranks)]
        if loader == "val_dataloader":
            loaders = [own[0] for own in loaders]
        for batch, *shares in zip(*loaders, strict=True):
            own = [target[:length].tolist() for share in shares
                   for target, length in zip(share.target, share.target_lengths, strict=True) if length]  # fmt: skip
            assert sorted(own) == sorted(
                target[:length].tolist() for target, length in zip(batch.target, batch.target_lengths, strict=True)
            )


@pytest.mark.parametrize("done", [0, 1, 5])
def test_training_resumes_exactly_where_its_state_was_saved(load, done):
    first, again = load(batch_size=7), load(batch_size=7)
    whole = [batch.target.tolist() for batch in load(batch_size=7).train_dataloader()]
    handed_out = [batch.target.tolist() for batch in itertools.islice(first.train_dataloader(), done)]
    again.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert handed_out + [batch.target.tolist() for batch in again.train_dataloader()] == whole


def test_a_loader_names_its_split(load):
    data = load()
    assert data.training_batches().split == "train"
    assert [loader.split for loader in data.val_dataloader()] == ["val"]


def test_a_limit_of_tokens_limits_the_blocks(load):
    assert {len(batch.rows) for batch in load(batch_tokens=5 * 17 + 3).train_dataloader()} <= {1, 2, 3, 4, 5}
    longest = max(len(batch.rows) for batch in load(batch_tokens=5 * 40 + 3, context=40).train_dataloader())
    assert longest == 5


def test_a_few_whole_blocks_are_continued(load):
    data = load(length=31)
    for split in data.splits:
        rows = data.rows_to_generate(split).nonzero()[0]
        assert len(rows) == 8
        assert set(rows) <= set(data.eval_rows(split))
        assert (data.examples[split].lengths(rows) == 32).all()
    assert load(length=1500).rows_to_generate("val").sum() == 1


def test_the_description_gives_the_size(load):
    data = load(fraction=0.5)
    train, val = (len(stream(data, split)) for split in data.splits)
    assert data.describe() == f"7 documents in notes; tokens {train:,} train, {val:,} val"
    assert "7 documents" in data.texts.reading_report()


# What it reports -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("boundaries", ["sentence", "document"])
@pytest.mark.parametrize("fraction", [1.0, 0.3])
@pytest.mark.parametrize("chunk", [5, 4096])
def test_passages_are_the_text_of_a_split_as_far_as_it_is_trained_on(load, monkeypatch, boundaries, fraction, chunk):
    monkeypatch.setattr(documents, "CHUNK", chunk)
    data = load(boundaries=boundaries, fraction=fraction)
    for split in data.splits:
        parts = [sides["sentences"] for sides in data.passages(split)]
        ids = [i for part in parts for i in part.tokens.values.tolist()]
        streamed = [i for i in stream(data, split) if i not in data.special_ids]
        assert ids[: len(streamed)] == streamed
        assert len(ids) - len(streamed) < (100 if split == "train" and fraction < 1 else 1), "a unit at the end"
        sentences = [text for part in parts for text in part.sentences]
        whole = sentences_of(data, split)
        assert sentences == whole[: len(sentences)]
        assert split == "train" or len(sentences) == len(whole)


def test_the_content_key_follows_the_passages(load):
    keys = [load(**settings).content_key() for settings in ({}, {"length": 7}, {"fraction": 0.5}, {"seed": 1})]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_the_remarks_say_what_was_read(load):
    assert "7 documents" in load().remarks()[0]


# What goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": None}, "path must name a folder of documents or a file, but is null"),
        ({"split": "folder"}, "validation_path must name .* if split is folder, but is null"),
        ({"val_share": 0.0}, "val_share must be above 0 and below 1, but is 0.0"),
        ({"val_share": 1.0}, "val_share must be above 0 and below 1, but is 1.0"),
        ({"fraction": 0.0}, "fraction must be above 0 and at most 1, but is 0.0"),
        ({"planted": 1.5}, "planted must be a share from 0 to 1, but is 1.5"),
        ({"bpe_dropout": 1.0}, "bpe_dropout must be at least 0 and below 1, but is 1.0"),
        ({"bpe_dropout": 0.1}, "bpe_dropout needs tokenizer=sentencepiece"),
        ({"length": 0}, "length must be at least 1, but is 0"),
        ({"context": -1}, "context must be at least 0, but is -1"),
        ({"stride": 17}, r"stride must be at most length \(16\), but is 17"),
        ({"stride": 7, "context": 3}, r"stride must be equal to length if there is context \(16\), but is 7"),
        ({"context": 3, "boundaries": "sentence"}, r"boundaries must be none if there is context \(3\)"),
        ({"length": 10**6}, r"data\.length must be below the [\d,]+ training tokens, but is 1,000,000"),
        ({"block": 10**6}, r"data\.block must be below the [\d,]+ characters"),
        ({"tokenizer": functools.partial(SUBWORDS.func, vocabulary_size=100)}, "cannot train a vocabulary of 100"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(load, settings, message):
    with pytest.raises(ValueError, match=message):
        load(**settings)


def test_validation_without_text_is_refused_and_leaves_no_folder(load, tmp_path):
    with pytest.raises(InputError, match="7 documents in notes: no text is left for val: a sentence is not"):
        load(block=2, val_share=0.001)
    assert not list((tmp_path / "cache").glob("*notes-*"))


def test_one_long_line_cannot_be_divided_but_at_its_tail(tmp_path):
    (tmp_path / "line.txt").write_text("A ferry leaves at seven. " * 40, encoding="utf-8")
    settings = {"context": 3, "length": 5, "block": 100, "cache": tmp_path / "cache"}
    data = Documents(CharacterTokenizer.fit, tmp_path / "line.txt", **settings)
    with pytest.raises(
        InputError, match=r"val: a line is not divided, .*; try data\.split=tail, which also cuts within"
    ):
        data.setup("fit")
    tail = Documents(CharacterTokenizer.fit, tmp_path / "line.txt", split="tail", **settings)
    tail.setup("fit")
    assert len(tail.examples["val"]) > 0


def test_a_vocabulary_that_is_too_large_is_lowered(load, caplog):
    data = load(functools.partial(SUBWORDS.func, vocabulary_size=5000))
    assert f"vocabulary size lowered from 5000 to {data.target_size}" in caplog.text


def test_a_second_time_nothing_is_learnt_or_encoded(load, tmp_path):
    class Counting(CharacterTokenizer):
        fitted = 0

        @classmethod
        def fit(cls, texts: Iterable[str]):
            cls.fitted += 1
            return CharacterTokenizer.fit(texts)

    first, again = load(Counting.fit), load(Counting.fit, length=7, stride=5, fraction=0.5)
    assert Counting.fitted == 1
    assert stream(first, "val") == stream(again, "val")
    load(Counting.fit, seed=1)
    assert Counting.fitted == 2


KILLED = """
import sys, time
from seqlab.data.documents import Documents
from seqlab.text.tokenizers import CharacterTokenizer

class Stuck(CharacterTokenizer):
    encoded = 0

    def encode(self, text):
        Stuck.encoded += 1
        if Stuck.encoded == 50:
            print("encoding", flush=True)
            time.sleep(600)
        return super().encode(text)

Documents(Stuck.fit, sys.argv[1], cache=sys.argv[2], block=300, length=16).prepare_data()
"""


def test_a_kill_while_encoding_leaves_no_folder_that_looks_complete(folder, tmp_path, load):
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", KILLED, str(folder), str(cache)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "encoding\n"
        os.kill(child.pid, signal.SIGKILL)
    assert not list(cache.glob("notes-*"))
    assert len(list(cache.glob(".notes-*/train/*.bin"))) == 1, "it was in the middle of it"
    data = load()
    assert sorted(text for split in data.splits for text in sentences_of(data, split)) == sorted(ALL)


def test_shakespeare_is_read_byte_for_byte(real_data, load):
    path = real_data / "tinyshakespeare/input.txt"
    data = load(path=path, split="tail", boundaries="none")
    assert data.target_size == 4 + 65
    assert [len(data.examples[split].stream) - 1 for split in data.splits] == [1_003_854, 111_540]
    text = path.read_text(encoding="utf-8")
    assert data.target_tokenizer.decode(stream(data, "val")) == text[1_003_854:]


def test_text_of_a_changed_class_of_ones_own_is_another(load, monkeypatch):
    before = load().content_key()
    monkeypatch.setattr("seqlab.data.documents.own_source", lambda made: ["changed"])
    assert load().content_key() != before
