"""A path is shown as one would type it in the working directory."""

from pathlib import Path

import pytest

from hydra_pruning_sweeper.quoting import typed_path


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return Path.cwd()


def test_below_the_working_directory_it_is_relative(here):
    assert typed_path(here / "outputs/run") == typed_path(Path("outputs/run")) == Path("outputs/run")
    assert typed_path(here) == Path()


def test_elsewhere_it_is_absolute(here):
    assert typed_path(here.parent / "other") == typed_path(Path("../other")) == here.parent / "other"
    assert typed_path(here.with_name("here_too")) == here.with_name("here_too")


def test_a_link_is_not_followed(here):
    (here / "outputs").symlink_to(here.parent)
    assert typed_path(here / "outputs/run") == Path("outputs/run")
