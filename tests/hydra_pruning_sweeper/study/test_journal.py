"""A journal outlives its writers."""

import optuna
import pytest

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.names import NAMES
from hydra_pruning_sweeper.study.journal import journal_storage, repair


@pytest.fixture
def journal(tmp_path):
    """A journal with three trials."""
    place = tmp_path / "journal.log"
    study = optuna.create_study(study_name="s", storage=journal_storage(place))
    for value in (1.0, 2.0, 3.0):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        study.tell(trial, value)
    return place


def values(place):
    return [one.value for one in optuna.load_study(study_name="s", storage=journal_storage(place)).trials]


def test_a_torn_line_is_taken_away_by_the_next_writer(journal):
    with journal.open("ab") as file:
        file.write(b'{"op_code": 5, "worker_id": "x"')
    study = optuna.load_study(study_name="s", storage=journal_storage(journal))
    study.tell(study.ask(), 4.0)
    assert values(journal) == [1.0, 2.0, 3.0, 4.0]
    assert journal.with_name("journal.log.torn").read_bytes() == b'{"op_code": 5, "worker_id": "x"\n'


def test_a_reader_of_a_torn_line_sees_the_rest(journal):
    with journal.open("ab") as file:
        file.write(b'{"op_c')
    assert values(journal) == [1.0, 2.0, 3.0]


def test_repair_takes_damaged_lines_out_and_keeps_a_copy(journal, monkeypatch):
    monkeypatch.setattr(NAMES, "command", "look-at")
    lines = journal.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:3], b'{"op_code": 7, "tr' + lines[3], b"\x00\x00\n", *lines[4:], b'{"op'])
    journal.write_bytes(damaged)
    with pytest.raises(UsageError, match=r"journal.log, line 4: damaged; .* look-at repair study="):
        values(journal)
    assert repair(journal) == 3
    assert values(journal) == [1.0, 2.0, 3.0]
    assert journal.with_name("journal.log.damaged").read_bytes() + b'{"op' == damaged
    assert repair(journal) == 0


def test_a_whole_journal_stays_as_it_is(journal):
    before = journal.read_bytes()
    assert repair(journal) == 0
    assert journal.read_bytes() == before
    assert not list(journal.parent.glob("*.damaged"))
