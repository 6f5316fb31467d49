"""What a result says of the code that made it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from seqlab import paths
from seqlab.code_hash import code


@pytest.mark.parametrize(
    ("file", "matters"),
    [("models/gpt.py", True), ("cli.py", True), ("reporting/comparison.py", False)],
)
def test_the_code_of_a_result_is_all_but_what_reads_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, matters: bool
) -> None:
    copy = shutil.copytree(paths.PACKAGE, tmp_path / "seqlab", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(paths, "PACKAGE", copy)
    before = code.__wrapped__()
    with (copy / file).open("a") as changed:
        changed.write("\n")
    assert (code.__wrapped__() != before) is matters
