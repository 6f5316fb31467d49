"""Schemas of what is made of runs: content that does not fit is named, content that fits needs no more checks."""

import json
import os

import pytest
from reporting.page.made_up import claim_c, digest, reference, replay, sweep

from seqlab.errors import InputError
from seqlab.runs.json_checks import UnfitError, anything, read_file, read_json
from seqlab.runs.schemas import DIGEST, REFERENCE, SWEEP
from seqlab.runs.schemas import replay as replay_schema

SCHEMAS = [(DIGEST, digest()), (REFERENCE, claim_c()), (SWEEP, sweep()), (replay_schema, replay())]


def write(tmp_path, content):
    path = tmp_path / "file.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(("schema", "content"), SCHEMAS)
def test_what_the_suite_writes_passes(tmp_path, schema, content):
    assert read_json(write(tmp_path, json.dumps(content)), schema) == json.loads(json.dumps(content))


BARE = reference("C", {"gru": []})


@pytest.mark.parametrize(
    ("schema", "content"),
    [(DIGEST, digest()), (REFERENCE, BARE), (SWEEP, sweep()), (replay_schema, replay())],
    ids=["digest", "reference", "sweep", "replay"],
)
def test_another_kind_in_place_of_any_value_is_named_or_makes_no_difference(schema, content):
    """Every top value replaced by every kind: nothing but an `UnfitError` that names the key comes of it."""
    refused = 0
    for key in content:
        for odd in ([], {}, "x", 3, None, True, [[1]], {"a": {"b": []}}):
            try:
                schema(content | {key: odd})
            except UnfitError as problem:
                assert str(problem).startswith(key)
                refused += 1
    assert refused > len(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        (b"\xff\xfe{", "not"),
        (b'{"a": "\xff"}', "not JSON .*utf-8"),
        ("[1, Infinity]", "Infinity is not a valid number"),
        ("[NaN]", "NaN is not a valid number"),
        ("[1e999]", "too large a number"),
        ("[1e151]", r"0: expected a number within ±1e\+150, but found 1e\+151"),
        (f"[1{'0' * 400}]", "more than 63 bits"),
        (f"[1{'0' * 9999}]", "more than 63 bits"),
        ("[" * 100_000, "more than 32 levels"),
        ("[" * 50 + "]" * 50, "more than 32 levels"),
        ('{"a":' * 50 + "1" + "}" * 50, "more than 32 levels"),
        ('{"a": 1, "a": 2}', "the key 'a' appears twice"),
        ('["\\ud800"]', "surrogates"),
    ],
)
def test_what_no_schema_allows(tmp_path, content, message):
    with pytest.raises(InputError, match=message) as raised:
        read_json(write(tmp_path, content), anything)
    assert "\n" not in str(raised.value)


def test_only_ordinary_files_of_some_size_are_read(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")  # opening it would wait without end
    for name, message in (("pipe", "not a regular file"), ("nothing", "no such file"), (".", "not a regular file")):
        with pytest.raises(InputError, match=message):
            read_file(tmp_path / name)
    monkeypatch.setattr("seqlab.runs.json_checks.MOST_BYTES", 3)
    with pytest.raises(InputError, match="more than 3 bytes"):
        read_file(write(tmp_path, "1234"))


def test_searches_on_recorded_curves_are_of_the_same_seeds():
    content = replay()
    content["tasks"][0]["searches"]["in full"]["reached"].append(7)
    with pytest.raises(UnfitError, match="2 seeds in “in full”"):
        replay_schema(content)
