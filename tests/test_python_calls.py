"""Training and searching from Python, in this process."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from support import ROOT

import seqlab
from seqlab.errors import InputError

TINY = ("data=toy", "model=gru", "model.width=8", "trainer=cpu", "trainer.max_epochs=1", "callbacks.outlook=null")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_training_gives_its_metrics_its_folder_and_its_model(capsys):
    from seqlab import train

    argv = sys.argv[:]
    run = train(*TINY, "hydra.run.dir=run")
    assert run.folder == Path.cwd() / "run"
    assert run.metrics == run.result.metrics and "teacher_forced/loss" in run.metrics["train"]
    (output,) = run.load().predict(["1 2 3"])
    assert isinstance(output, str)
    printed = capsys.readouterr()
    assert "epoch" in printed.out and "\x1b" not in printed.out + printed.err and "\r" not in printed.out
    assert sys.argv == argv


def test_a_second_training_in_the_same_process_is_the_same():
    first, second = (seqlab.train(*TINY, f"hydra.run.dir={name}", "seed=3") for name in ("one", "two"))
    assert first.metrics == second.metrics
    assert {first.folder.name, second.folder.name} == {"one", "two"}


def test_a_run_goes_on_where_it_was():
    first = seqlab.train(*TINY, "hydra.run.dir=run")
    again = seqlab.train("resume=run", "trainer.max_epochs=2")
    assert again.folder == first.folder
    assert again.result.epochs == 2


def test_what_was_initialised_of_hydra_stays():
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        before = GlobalHydra.instance().hydra
        seqlab.train(*TINY, "hydra.run.dir=run", "measure=false")
        assert GlobalHydra.instance().hydra is before
        assert compose("train", ["seed=7"]).seed == 7


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("model.width=0",), "model: width must be"),
        (("model=nothing",), "model=nothing: no such option; choose one of"),
        (("widht=3",), "no setting or group is named widht"),
        (("seed=1,2",), "seed=1,2: several values"),
        (("-m", "seed=1,2"), "-m: of the flags"),
        (("resume=nowhere",), "nowhere: no run to resume"),
    ],
)
def test_bad_input_is_an_exception_of_one_line(typed, said):
    with pytest.raises(InputError) as caught:
        seqlab.train(*TINY, "hydra.run.dir=run", *typed)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert not Path("run").exists()


def test_an_interrupt_is_one_as_usual(monkeypatch):
    def stopped(settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("seqlab.training.run._train", lambda settings, folder: stopped(settings))
    with pytest.raises(KeyboardInterrupt):
        seqlab.train(*TINY, "hydra.run.dir=run")
    assert not Path("run").exists()


def test_a_search_gives_its_table_and_what_trains_the_best():
    from seqlab import sweep

    data = ("data=reversal", "data.largest=5", "data.min_length=2", "data.max_length=4", "data.samples=100")
    tiny = ("model=gru", "trainer=cpu", "trainer.max_epochs=1")
    space = (
        "+sweeps=free",
        *data,
        *tiny,
        "model.width=choice(4,8)",
        "hydra.sweeper.slots=1",
        "hydra.sweeper.n_trials=2",
    )
    found = sweep(*space, "hydra.sweeper.timeout=null", "hydra.sweep.dir=study")
    assert found.folder == Path("study")
    assert len(found.trials) == 2
    values = [row["value"] for row in found.trials if row["state"] == "complete"]
    assert found.value == min(values)
    assert set(found.best) == {"model.width"}
    run = seqlab.train(*found.overrides, "hydra.run.dir=best", "measure=false")
    assert (run.folder / "checkpoints").is_dir()
    assert len(sweep(*space, "hydra.sweeper.timeout=null", "hydra.sweep.dir=study").trials) == 2


def test_a_search_of_nothing_is_refused():
    with pytest.raises(InputError, match="say what to search"):
        seqlab.sweep(*TINY)


def test_importing_seqlab_imports_neither_torch_nor_hydra():
    script = "import sys, seqlab; print(sorted({'torch', 'hydra', 'omegaconf', 'lightning'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
