"""A sweep's folder of somebody else: what is odd in it gives one line, and what is only looked at stays as it is."""

import json
import sqlite3

import optuna
import pytest
from optuna.trial import TrialState
from sweeper_support.simulation import SPACE

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.execution.observer import Slot
from hydra_pruning_sweeper.execution.outcome import Outcome
from hydra_pruning_sweeper.study.lease import Lease
from hydra_pruning_sweeper.study.record import SweepRecord, read_record
from hydra_pruning_sweeper.study.rules import Rules
from hydra_pruning_sweeper.study.search_spec import SearchSpec
from hydra_pruning_sweeper.study.shared_study import LeasedTrial, SharedStudy
from hydra_pruning_sweeper.study.space import Space, parameter
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.study.trial_command import TrialCommand
from hydra_pruning_sweeper.trial.events import TrialEvents
from hydra_pruning_sweeper.views import command
from hydra_pruning_sweeper.views.live_table import LiveTable
from hydra_pruning_sweeper.views.recorded_sweep import open_sweep

WHOLE = {"study": "s", "storage": "j", "direction": "minimize", "trials": 3}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", "no object"),
        ("{", "property name"),
        ("[" * 100_000, "RecursionError|recursion"),
        ('{"study": "s"}', "storage is missing"),
        (json.dumps(WHOLE | {"study": 3}), "study must be of type str"),
        (json.dumps(WHOLE | {"trials": True}), "trials must be of type int"),
        (json.dumps(WHOLE | {"rungs": ["x"]}), "rungs must hold int only"),
        (json.dumps(WHOLE | {"direction": "up"}), "direction must be"),
        ("\\udcff", "."),
    ],
)
def test_an_odd_record_is_refused_in_a_line(tmp_path, content, reason):
    (tmp_path / "sweep.json").write_text(content)
    with pytest.raises(UsageError, match=rf"sweep.json: not what a sweep writes \(.*({reason})") as caught:
        read_record(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_record_with_more_than_is_known_is_read(tmp_path):
    (tmp_path / "sweep.json").write_text(json.dumps(WHOLE | {"new": [1]}))
    assert read_record(tmp_path) == SweepRecord("s", "j", "minimize", 3)


@pytest.mark.parametrize(
    "line",
    [
        *("[]", "3", "null", '{"event": "started"}', '{"event": 3, "time": 1}', "[" * 100_000),
        '{"event": "started", "time": 1, "owner": 3, "slot": "x"}',
        '{"event": "reported", "time": 1, "step": "x", "value": 1, "raw": 1}',
        '{"event": "reported", "time": 1, "step": 1, "value": 1%s, "raw": 1}' % ("0" * 400),
        '{"event": "reported", "time": 1, "step": true, "value": 1, "raw": 1}',
        '{"event": "decided", "time": 1, "step": 1, "prune": "yes", "notes": {}}',
        '{"event": "ended", "time": "now", "value": 1}',
    ],
)
def test_odd_events_are_passed_over(tmp_path, line):
    own = TrialEvents(tmp_path)
    own.add("reported", step=1, value=2.0, raw=2.0)
    with own.path.open("ab") as file:
        file.write(line.encode() + b"\n\xff\xfe\n")
    own.add("ended", value=2)
    progress = own.read()
    assert (progress.reported, progress.ended, progress.value) == ({1: 2.0}, True, 2.0)


def test_a_database_of_another_program_is_not_written_to(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    before = path.read_bytes()
    for storage in (f"sqlite:///{path}", str(path)):
        SweepRecord("s", storage, "minimize", 3).write(tmp_path)
        with pytest.raises(UsageError):
            open_sweep(tmp_path)
    assert path.read_bytes() == before
    assert {one.name for one in tmp_path.iterdir()} == {"other.db", "sweep.json"}


@pytest.mark.parametrize("name", ["sqlite:///{}/none.db", "{}/none.log", "{}", "/dev/zero"])
def test_a_storage_that_is_not_there_is_not_made(tmp_path, name):
    SweepRecord("s", name.format(tmp_path), "minimize", 3).write(tmp_path)
    with pytest.raises(UsageError):
        open_sweep(tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == {"sweep.json"}


@pytest.mark.parametrize("kind", ["sqlite:///{}/study.db", "{}/journal.log"])
def test_a_study_is_looked_at_without_a_change(tmp_path, kind):
    url = kind.format(tmp_path)
    optuna.create_study(study_name="s", storage=StudyStorage(url).storage)
    SweepRecord("s", url, "minimize", 3).write(tmp_path)
    names, before = {one.name for one in tmp_path.iterdir()}, (tmp_path / url.rpartition("/")[2]).read_bytes()
    sweep = open_sweep(tmp_path)
    assert sweep.trials() == []
    with pytest.raises((optuna.exceptions.StorageInternalError, PermissionError)):
        sweep.store.storage.set_study_user_attr(0 if "journal" in kind else 1, "x", 1)
    assert {one.name for one in tmp_path.iterdir()} == names
    assert (tmp_path / url.rpartition("/")[2]).read_bytes() == before
    SweepRecord("other", url, "minimize", 3).write(tmp_path)
    with pytest.raises(UsageError, match="no study other"):
        open_sweep(tmp_path)


def test_a_file_that_is_found_does_not_decide_where_to_connect_to(tmp_path):
    for storage in ("postgresql://127.0.0.1:1/x", "grpc://127.0.0.1:1", "mysql+pymysql://h/x"):
        SweepRecord("s", storage, "minimize", 3).write(tmp_path)
        with pytest.raises(UsageError, match=r"opened only where it is typed: add storage="):
            open_sweep(tmp_path)


def test_values_that_look_like_markup_or_control_the_terminal_are_shown_as_they_are(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    store = StudyStorage(str(tmp_path / "journal.log"))
    space = Space([parameter("freeze", "choice([adam],[sgd])"), parameter("end", "choice('[/x]','[bold]')")])
    shared_study = SharedStudy(
        store, "s", "minimize", space, Rules(2, retries=0, failures=1.0), search=SearchSpec({}, TrialCommand("train"))
    )
    leased = shared_study.take()
    shared_study.tell(leased.number, TrialState.FAIL, error="\x1b[31mred\x1b]0;title\x07 [/x]")
    shared_study.tell(shared_study.take().number, TrialState.COMPLETE, 1.0)
    SweepRecord("s", store.url, "minimize", 2).write(tmp_path)
    sweep = open_sweep(tmp_path)
    command.run("status", tmp_path)
    command.run("best", tmp_path)
    for terminal in (True, False):
        screen = LiveTable(sweep, terminal=terminal)
        screen.started(
            LeasedTrial(0, {"a": "[adam]", "b": "[/x]\x1b[2J"}, TrialCommand(), Lease("me", "here", 1, None)), 0
        )
        screen.refresh([Slot(0, leased)])
        screen.ended(0, Outcome(TrialState.FAIL, error="\x1b[31m[/x]"))
        screen.note("note \x07[/x]")
        screen.close()
    out = capsys.readouterr().out
    assert "[adam]" in out or "[sgd]" in out
    assert "[/x]" in out
    assert "\\x1b[31mred\\x1b]0;title\\x07 [/x]" in out
    assert "\x1b[31m" not in out
    assert "\x07" not in out


def test_a_link_in_the_folder_is_not_written_through(tmp_path):
    store = StudyStorage(str(tmp_path / "journal.log"))
    SharedStudy(store, "s", "minimize", Space(SPACE), Rules(1))
    SweepRecord("s", store.url, "minimize", 1).write(tmp_path)
    (tmp_path / "summary.md").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"summary.md: a symbolic link"):
        command.run("plot", tmp_path)
    with pytest.raises(UsageError, match=r"summary.md: a symbolic link"):
        command.run("best", tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_study_that_holds_something_else_gives_a_line(tmp_path):
    store = StudyStorage(str(tmp_path / "journal.log"))
    one = SharedStudy(store, "s", "minimize", Space(SPACE), Rules(1))
    one.storage.set_trial_user_attr(one._id(one.take().number), "lease", {"owner": [], "child": 3})
    SweepRecord("s", store.url, "minimize", 1).write(tmp_path)
    with pytest.raises(UsageError, match=r"its study contains data that no sweep writes \(TypeError"):
        command.run("status", tmp_path)


def test_a_name_cannot_write_lines_into_the_exported_configuration(tmp_path, capsys):
    store = StudyStorage(str(tmp_path / "journal.log"))
    shared_study = SharedStudy(
        store, "s\nmodel: evil", "minimize", Space(SPACE), Rules(1), search=SearchSpec({}, TrialCommand("train"))
    )
    shared_study.tell(shared_study.take().number, TrialState.COMPLETE, 1.0)
    SweepRecord("s\nmodel: evil", store.url, "minimize", 1).write(tmp_path)
    command.run("best", tmp_path)
    assert "\nmodel: evil" not in (tmp_path / "best.yaml").read_text()
