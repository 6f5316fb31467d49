"""A study, its trials' folders and its best trial say what they are of, and what is not of them is refused or kept."""

import json

import pytest
from omegaconf import OmegaConf
from optuna.trial import TrialState
from sweeper_support.pretended_executor import PretendedExecutor
from sweeper_support.simulation import SPACE, controller, results

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.execution.executor import JobEnd
from hydra_pruning_sweeper.execution.trial_folders import claim_folder
from hydra_pruning_sweeper.run_sweep import set_foreign_aside
from hydra_pruning_sweeper.study.agreement import another_name
from hydra_pruning_sweeper.study.lease import machine, start_of
from hydra_pruning_sweeper.study.record import SweepRecord
from hydra_pruning_sweeper.study.rules import Rules
from hydra_pruning_sweeper.study.search_spec import MAY_DIFFER, SearchSpec, description, disagreement
from hydra_pruning_sweeper.study.shared_study import SharedStudy
from hydra_pruning_sweeper.study.space import Space, parameter
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.study.sweeper_settings import SweeperSettings
from hydra_pruning_sweeper.study.trial_command import TrialCommand, is_overridden
from hydra_pruning_sweeper.trial.context import TrialContext
from hydra_pruning_sweeper.trial.events import TrialEvents
from hydra_pruning_sweeper.views.recorded_sweep import open_sweep
from hydra_pruning_sweeper.views.sweep_summary import best_config

HYDRA = {"runtime": {"choices": {"model": "gru", "hydra/launcher": "basic"}}}


def described(settings=None, space=SPACE, **changed):
    config = {"hydra": HYDRA, "trainer": {"max_epochs": 9, "rate": 0.5}, "logger": {"csv": "x"}, **(settings or {})}
    own = SweeperSettings(**{"not_compared": ["logger", "callbacks.outlook"], **changed})
    return description(OmegaConf.create(config), own, Space(space), TrialCommand("train"))


@pytest.mark.parametrize(
    ("settings", "changed", "names"),
    [
        ({"trainer": {"max_epochs": 3, "rate": 0.5}}, {}, ["trainer.max_epochs 9 → 3"]),
        ({"hydra": {"runtime": {"choices": {"model": "lstm"}}}}, {}, ["model gru → lstm"]),
        ({}, {"constraints": ["x < 1"]}, ["hydra.sweeper.constraints [] → ['x < 1']"]),
        ({}, {"trial": ["measure=false"]}, ["hydra.sweeper.trial [] → ['measure=false']"]),
        ({}, {"direction": "maximize"}, ["hydra.sweeper.direction minimize → maximize"]),
        ({}, {"seed": 1}, ["hydra.sweeper.seed 0 → 1"]),
        ({}, {"sampler": {"_target_": "A"}}, ["hydra.sweeper.sampler._target_ optuna.samplers.TPESampler → A"]),
        ({"logger": None, "callbacks": {"outlook": None}}, {}, []),
        ({}, {"slots": 5, "storage": "x", "n_trials": 99, "threads": 3, "max_retry": 7}, []),
    ],
)
def test_controllers_agree_on_all_but_what_is_named(settings, changed, names):
    assert [str(one) for one in disagreement(described(), described(settings, **changed))] == names


def test_a_space_that_changes_is_another_search():
    other = [SPACE[0], parameter("width", "choice(16,32)", when="x > 0.1")]
    (found,) = disagreement(described(), described(space=other))
    assert str(found) == "hydra.sweeper.params.width choice(16,32,64) → choice(16,32) when x > 0.1"


def test_every_setting_of_the_sweeper_is_compared_or_named_as_free():
    own = described()["sweeper"]["hydra"]["sweeper"]
    assert set(vars(SweeperSettings())) - own.keys() == MAY_DIFFER


def shared_study(folder, settings, space=SPACE, line=None, anyway=False, **options):
    search = SearchSpec(
        {"settings": settings}, line or TrialCommand(fixed=tuple(f"{k}={v}" for k, v in settings.items())), anyway
    )
    store = StudyStorage(str(folder / "journal.log"))
    return SharedStudy(store, "s", "minimize", Space(space), Rules(9, **options), search=search)


def test_a_study_of_another_search_is_refused_with_what_differs(tmp_path):
    shared_study(tmp_path, {"epochs": 9})
    one = shared_study(tmp_path, {"epochs": 3})  # it has no trial yet: a mistake may be corrected
    one.take()
    refusal = r"^add hydra.sweeper.study=s_2 to begin another: .* another search: epochs 3 → 9; .*continue_anyway=true$"
    with pytest.raises(UsageError, match=refusal):
        shared_study(tmp_path, {"epochs": 9})
    assert shared_study(tmp_path, {"epochs": 9}, anyway=True).identity == one.identity
    shared_study(tmp_path, {"epochs": 9})  # it is that search's now


def test_the_remedy_names_a_study_that_can_be_typed():
    names = {"free": "free_2", "free_2": "free_3", "a-b.9": "a-b.9_2", "_7": "_7_2", "two words": "NAME"}
    assert {name: another_name(name) for name in names} == {a: f"hydra.sweeper.study={b}" for a, b in names.items()}


def test_of_two_searches_that_join_a_new_study_at_once_one_begins_trials(tmp_path):
    first, second = shared_study(tmp_path, {"epochs": 9}), shared_study(tmp_path, {"epochs": 3})
    with pytest.raises(UsageError, match=r"^add hydra.sweeper.study=s_2 to .* another search: epochs 3 → 9; "):
        first.take()
    assert second.take().number == 0
    with pytest.raises(UsageError, match=r"another search"):
        first.take()


def test_a_study_that_does_not_say_what_it_searches_is_refused(tmp_path):
    one = shared_study(tmp_path, {})
    one.take()
    one.storage.set_study_user_attr(one._study_id, "search", None)
    with pytest.raises(UsageError, match=r"study s does not say what it searches"):
        shared_study(tmp_path, {})


def test_a_parameter_that_changes_its_kind_is_refused_and_leaves_nothing_running(tmp_path):
    one = shared_study(tmp_path, {})
    one.tell(one.take().number, TrialState.COMPLETE, 1.0)
    space = [parameter("x", "choice(0.1,0.2)"), SPACE[1]]
    with pytest.raises(UsageError, match=r"x was tag\(log,interval\(0.0001,1.0\)\), and not choice\(0.1,0.2\)"):
        shared_study(tmp_path, {}, space, anyway=True)
    assert [trial.state for trial in one.trials()] == [TrialState.COMPLETE]


def test_a_proposal_that_fails_leaves_nothing_running(tmp_path):
    def broken(seed):
        raise UsageError("no sampler")

    one = SharedStudy(StudyStorage(str(tmp_path / "journal.log")), "s", "minimize", Space(SPACE), Rules(9), broken)
    with pytest.raises(UsageError, match="no sampler"):
        one.take()
    assert [trial.state for trial in one.trials()] == [TrialState.FAIL]
    assert one.given_up() == []


def test_a_trial_goes_on_and_is_tried_again_with_its_own_line(tmp_path):
    first = shared_study(tmp_path, {"epochs": 9})
    begun, failing = first.take(), first.take()
    first.release(begun.number)
    first.tell(failing.number, TrialState.FAIL, error="no")
    later = shared_study(tmp_path, {"epochs": 3}, anyway=True)
    assert later.take().line == begun.line
    assert later.take().line == failing.line
    assert later.take().line.fixed == ("epochs=3",)


def test_the_best_is_exported_with_the_settings_of_its_own_trial(tmp_path):
    first = shared_study(tmp_path, {"epochs": 9})
    first.tell(first.take().number, TrialState.COMPLETE, 1.0)
    later = shared_study(tmp_path, {"epochs": 3}, anyway=True)
    later.tell(later.take().number, TrialState.COMPLETE, 2.0)
    SweepRecord("s", later.store.url, "minimize", 2, fixed=["epochs=3"]).write(tmp_path)
    sweep = open_sweep(tmp_path)
    assert OmegaConf.create(best_config(sweep, sweep.best_trials()[0], tmp_path / "best.yaml")[0]).epochs == 9


GIVEN = TrialContext("s", "journal", 3, identity="abc", values={"x": 0.5}, overrides=["x=0.5"])


@pytest.mark.parametrize(
    "change", [{"identity": "other"}, {"values": {"x": 0.7}}, {"overrides": ["epochs=3"]}, {"number": 4}]
)
def test_a_folder_of_another_trial_is_set_aside(tmp_path, change):
    folder = tmp_path / "3"
    given = TrialContext(**{**vars(GIVEN), "folder": str(folder)})
    assert claim_folder(given) is None
    given.write()
    assert claim_folder(given) is None
    TrialContext(**{**vars(given), **change}).write()
    (folder / "mine").touch()
    assert "trial" in claim_folder(given)
    assert (tmp_path / "3.aside-1/mine").exists()
    assert not folder.exists()


def test_a_folder_that_says_nothing_is_set_aside_and_one_in_use_is_refused(tmp_path):
    folder = tmp_path / "3"
    given = TrialContext(**{**vars(GIVEN), "folder": str(folder)})
    TrialEvents(folder).add("process", host=machine(), pid=1, start=start_of(1))
    with pytest.raises(UsageError, match=r"a running trial of another study writes here"):
        claim_folder(given)
    (folder / "events.jsonl").write_text("")
    (folder / "trial.json").write_text("[" * 100_000)
    assert claim_folder(given).endswith(
        "belongs to something that is no trial of this study, so it is renamed to 3.aside-1"
    )


def test_a_folder_is_in_use_from_when_its_trial_is_begun_to_when_its_end_is_told(tmp_path):
    """Of the trial's own process nothing is known before it trains."""
    given = TrialContext(**{**vars(GIVEN), "folder": str(tmp_path / "3")})
    TrialEvents(tmp_path / "3").add("started", owner="x", slot=0, host=machine(), pid=1, start=start_of(1))
    with pytest.raises(UsageError, match=r"3: a running trial of another study writes here"):
        claim_folder(given)
    with pytest.raises(UsageError, match=r"a running sweep of another study writes here; choose another hydra.sweep"):
        set_foreign_aside(tmp_path, "other")
    TrialEvents(tmp_path / "3").add("told", state="COMPLETE")
    set_foreign_aside(tmp_path, "other")
    assert "renamed to" in claim_folder(given)


def test_what_a_running_sweep_writes_is_not_set_aside(tmp_path):
    SweepRecord("s", "j", "minimize", 2, identity="abc", controller=[machine(), 1, start_of(1)]).write(tmp_path)
    (tmp_path / "best.yaml").touch()
    with pytest.raises(UsageError, match=r"a running sweep of another study writes here; choose another hydra.sweep"):
        set_foreign_aside(tmp_path, "other")
    set_foreign_aside(tmp_path, "abc")
    assert {path.name for path in tmp_path.iterdir()} == {"sweep.json", "best.yaml"}


def test_what_another_study_s_trial_came_to_is_not_believed(tmp_path):
    def taken_over(job):
        TrialContext("other", "journal", job.number, str(job.folder), identity="abc").write()
        TrialEvents(job.folder).add("ended", value=0.123)
        return JobEnd(job.number, 0)

    one = controller(tmp_path, trials=1, executor=lambda: PretendedExecutor(taken_over))
    with pytest.raises(UsageError, match=r"0: now belongs to trial 0 of an earlier or another study other"):
        one.run()
    assert [state for state, *_ in results(tmp_path).values()] == ["RUNNING"]


def test_finished_folders_are_no_results_of_a_study_that_is_begun_again(tmp_path, sweep):
    sweep(trials=2, steps=3, settings={"epochs": 9})
    (tmp_path / "journal.log").unlink()
    one = sweep(trials=2, steps=1, settings={"epochs": 3})
    assert [len(reported) for *_, reported in results(tmp_path).values()] == [1, 1]
    assert [note.rpartition("/")[2] for note in one.observer.notes] == [
        f"{number} belongs to trial {number} of an earlier or another study study, so it is renamed to {number}.aside-1"
        for number in range(2)
    ]
    content = json.loads((tmp_path / "0/trial.json").read_text())
    assert (content["study"], content["number"], content["identity"]) == ("study", 0, one.shared_study.identity)
    assert content["values"].keys() == {"x", "width"}


def test_what_another_study_left_in_the_sweep_s_folder_is_kept(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    SweepRecord("s", "journal", "minimize", 2, identity="abc").write(tmp_path)
    (tmp_path / "best.yaml").touch()
    set_foreign_aside(tmp_path, "abc")
    assert capsys.readouterr().out == ""
    set_foreign_aside(tmp_path, "other")
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"sweep.json.aside-1", "best.yaml.aside-1"}


def test_what_is_typed_wins_over_what_every_trial_gets():
    assert is_overridden(["free_running.every_n_epochs=1"], "free_running.every_n_epochs", [])
    assert is_overridden(["~callbacks"], "callbacks.outlook", ["callbacks"])
    assert is_overridden(["free_running={every_n_epochs:1}"], "free_running.every_n_epochs", [])
    assert not is_overridden(["callbacks=early_stopping"], "callbacks.outlook", ["callbacks"])
    assert not is_overridden(["measured=true"], "measure", [])


def test_a_controller_of_another_search_is_refused_before_it_changes_anything(tmp_path, shared):
    controller(tmp_path, trials=1, steps=1, executor=lambda: shared, settings={"epochs": 9}).run()
    before = results(tmp_path)
    with pytest.raises(UsageError, match=r"epochs 9 → 3"):
        controller(tmp_path, trials=3, executor=lambda: shared, settings={"epochs": 3})
    assert results(tmp_path) == before
