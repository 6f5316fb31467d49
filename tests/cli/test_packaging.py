"""The wheels are whole: what they need of conf/ and data is inside, and they run where there is no checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support import ROOT, built_wheel

CONFIGS = [path.relative_to(ROOT).as_posix() for part in ("conf", "sweeps") for path in (ROOT / part).rglob("*.yaml")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """seqlab's wheel, built with what is installed."""
    return built_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sweeper_wheel(tmp_path_factory):
    """The sweeper's wheel."""
    return built_wheel(ROOT / "src", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def site(wheel, sweeper_wheel, tmp_path_factory):
    """A folder into which both wheels are installed, without their dependencies."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--quiet", "--target", folder]
    pip += [wheel, sweeper_wheel]
    subprocess.run(pip, check=True, capture_output=True)
    return folder


@pytest.fixture
def installed(process, site):
    """Runs Python in the test's empty folder, with seqlab from the wheel."""
    return lambda *arguments: process(*arguments, PYTHONPATH=str(site))


CLAIMS = [path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("claims/*.yaml")]
PAGE = [path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src/seqlab/reporting/page").glob("*/*.*ml")]
PAGE += [f"seqlab/reporting/page/assets/{name}" for name in ("style.css", "common.js", "attention.js", "script.js")]
PAGE += [path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src/seqlab/playground/assets").iterdir()]


def test_the_wheel_holds_what_is_read_at_run_time(wheel):
    read = {
        "seqlab/py.typed",
        "seqlab/data/phrasebook.txt",
        *CLAIMS,
        *PAGE,
        *(f"seqlab/{config}" for config in CONFIGS),
    }
    assert len(CLAIMS) > 1 < len(PAGE) and len(CONFIGS) > 100
    assert read - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_the_wheels_hold_nothing_but_their_packages_and_no_file_twice(wheel, sweeper_wheel):
    seqlab, sweeper = (zipfile.ZipFile(one).namelist() for one in (wheel, sweeper_wheel))
    assert packages(seqlab) == {"seqlab", "hydra_plugins/seqlab_configs"}
    assert packages(sweeper) == {"hydra_pruning_sweeper", "hydra_plugins/pruning_sweeper"}
    assert set(seqlab) & set(sweeper) == set()


def packages(files):
    """The packages of a wheel. A file in `hydra_plugins` itself would hide the plugins of others."""
    parts = [Path(name).parts for name in files if ".dist-info" not in name]
    return {"/".join(one[: 2 if one[0] == "hydra_plugins" else 1]) for one in parts}


def test_seqlab_needs_the_sweeper_of_its_own_version(wheel, sweeper_wheel):
    name, version = sweeper_wheel.name.split("-")[:2]
    (metadata,) = (one for one in zipfile.ZipFile(wheel).namelist() if one.endswith("/METADATA"))
    needed = zipfile.ZipFile(wheel).read(metadata).decode().splitlines()
    assert f"Requires-Dist: {name.replace('_', '-')}[gp]=={version}" in needed


def test_the_wheel_is_used_and_not_the_checkout(installed, site):
    outcome = installed("-c", "import seqlab; print(seqlab.__file__)").succeeded()
    assert Path(outcome.out.strip()).is_relative_to(site)


def test_the_wheel_composes_its_experiments(installed, tmp_path):
    out = installed("-m", "seqlab.train", "--cfg", "job", "experiment=toy_gru").succeeded().out
    assert "name: toy_gru" in out
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_the_wheel_finds_its_sweeper_and_its_searches(installed):
    out = installed("-m", "seqlab.train", "--cfg", "all", "+sweeps=reversal_bahdanau").succeeded().out
    assert "_target_: hydra_plugins.pruning_sweeper.sweeper.PruningSweeper" in out
    assert "n_trials: 20" in out


def test_the_wheel_trains_on_its_phrasebook(installed, tmp_path):
    settings = ["model=gru", "model.width=8", "data=anki", "data.max_pairs=50", "trainer=cpu", "trainer.max_steps=1"]
    out = installed("-m", "seqlab.train", *settings, "hydra.run.dir=run").succeeded().out
    assert "phrasebook that ships" in out
    assert (tmp_path / "run/result.json").is_file()
    assert '"commit": null' in (tmp_path / "run/result.json").read_text(encoding="utf-8")
