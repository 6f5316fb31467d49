"""What a forked process runs, and the code with which it ends."""

import sys

import pytest

from hydra_pruning_sweeper.execution import fork_server
from hydra_pruning_sweeper.execution.fork_server import entry_point


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose module and script note under which name they ran."""
    (tmp_path / "a_lab").mkdir()
    (tmp_path / "a_lab/__init__.py").touch()
    (tmp_path / "a_lab/work.py").write_text(
        "import pathlib, sys\n"
        "found = sys.modules[__name__].__dict__ is globals()\n"  # else nothing of it could be pickled
        "pathlib.Path('ran').write_text(f'{__name__} {sys.argv[1:]} {found}')\n"
        "def function():\n    return 7\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["typed", "x=1"])
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "a_lab"]:
        del sys.modules[name]


@pytest.mark.parametrize("entry", ["a_lab.work", "a_lab/work.py"])
def test_a_module_or_a_script_runs_as_the_main_program(package, entry):
    run = entry_point(entry)
    assert not (package / "ran").exists()
    assert run() is None
    assert (package / "ran").read_text() == "__main__ ['x=1'] True"


def test_a_function_gives_its_value(package):
    assert entry_point("a_lab.work:function")() == 7
    assert (package / "ran").read_text() == "a_lab.work ['x=1'] True"


def stop(code):
    def run():
        raise SystemExit(code)

    return run


@pytest.mark.parametrize(
    ("run", "code"), [(lambda: None, 0), (stop(None), 0), (stop(0), 0), (stop(3), 3), (stop("why"), 1)]
)
def test_a_process_ends_with_the_code_of_what_it_ran(run, code, capsys):
    assert fork_server._exit_code(run) == code
    assert capsys.readouterr().err == ("why\n" if code == 1 else "")


def test_what_a_function_gives_is_the_trials_value(monkeypatch):
    kept = []
    monkeypatch.setattr("hydra_pruning_sweeper.trial.context.record_end", kept.append)
    assert [fork_server._exit_code(lambda: 0.0), fork_server._exit_code(lambda: None)] == [0, 0]
    assert kept == [0.0]
