"""Untrusted JSON: strict, bounded, refused in one line."""

import os

import pytest

from seqlab.errors import InputError
from seqlab.text.plain_json import DEEPEST, parsed, read_json


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[" * 100_000, "levels"),
        (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), "levels"),
        (b'[{"a": 1, "a": 2}]', "'a' appears twice"),
        (b"[NaN]", "NaN is not a valid number"),
        (b"[-Infinity]", "not a valid number"),
        (b"[1e999]", "too large"),
        (b"[9223372036854775808]", "63 bits"),
        (b"[" + b"9" * 5000 + b"]", "63 bits"),
        (b'["\\ud800"]', "surrogates"),
        (b'["\xff"]', "not JSON"),
        (b"[1", "not JSON"),
        (b"{}", "expected a JSON list"),
    ],
)
def test_json_that_is_not_strict_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        parsed(data, list)


def test_strict_json_is_read():
    assert parsed('[{"a": [1, -2.5, null, true, "é\\u00e9"]}]'.encode(), list) == [{"a": [1, -2.5, None, True, "éé"]}]


def test_only_regular_files_of_bounded_size_are_read(tmp_path):
    (tmp_path / "long").write_bytes(b"[" + b" " * 100 + b"]")
    assert read_json(tmp_path / "long", list) == []
    with pytest.raises(InputError, match="more than 50 bytes"):
        read_json(tmp_path / "long", list, longest=50)
    (tmp_path / "endless").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    for name in ("endless", "pipe", "."):
        with pytest.raises(InputError, match="not a regular file"):
            read_json(tmp_path / name, list)
    (tmp_path / "round").symlink_to("round")
    for name in ("nowhere", "round"):
        with pytest.raises(InputError, match=name):
            read_json(tmp_path / name, list)
