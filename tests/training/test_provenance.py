"""What a result says of the code and the machine that made it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lightning.pytorch import Trainer

from seqlab import paths
from seqlab.code_hash import code
from seqlab.training import provenance


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


@pytest.mark.parametrize(
    ("content", "device"),
    [
        ("flags\t: a\nmodel name\t: Two: fast\n", "cpu (Two: fast)"),
        ("model name\t:\n", "cpu (x)"),
        (None, "cpu (x)"),  # no Linux
    ],
)
def test_a_result_names_the_processor_as_times_of_two_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, device: str
) -> None:
    if content is not None:
        (tmp_path / "cpuinfo").write_text(content)
    monkeypatch.setattr(provenance, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(provenance, "cpuinfo", provenance.cpuinfo.__wrapped__)
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "x")
    assert provenance.environment(Trainer(accelerator="cpu", logger=False))["device"] == device
