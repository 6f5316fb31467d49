"""What trials are proposed: allowed, new, and the same whenever the search is interrupted."""

import functools

import optuna
import pytest
from optuna.samplers import BruteForceSampler, GridSampler, PartialFixedSampler, RandomSampler, TPESampler

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.study.rules import Rules
from hydra_pruning_sweeper.study.sampler import sampler_factory
from hydra_pruning_sweeper.study.shared_study import SharedStudy
from hydra_pruning_sweeper.study.space import Space, parameter
from hydra_pruning_sweeper.study.storage import StudyStorage

SPACE = (
    parameter("width", "range(4,40,4)"),
    parameter("heads", "choice(1,3,5,7)"),
    parameter("slope", "interval(0,1)", when="heads > 1"),
)


def propose(
    folder, trials, make=lambda seed: TPESampler(seed=seed, n_startup_trials=5), space=None, again=False, **more
):
    """The values of a number of trials, each ended at once; with `again`, each is taken through a new `SharedStudy`."""

    def shared_study():
        store = StudyStorage(str(folder / "journal.log"))
        chosen = Space(SPACE, ["width % heads == 0"]) if space is None else space
        return SharedStudy(store, "study", "minimize", chosen, Rules(trials), make, **more)

    one, found = shared_study(), []
    while (leased := one.take()) is not None:
        found.append(leased.values)
        one.tell(leased.number, optuna.trial.TrialState.COMPLETE, sum(map(float, leased.values.values())))
        if again:
            one = shared_study()
    return found


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: TPESampler(seed=seed, n_startup_trials=5),
        lambda seed: TPESampler(seed=seed, n_startup_trials=5, multivariate=False),
        lambda seed: RandomSampler(seed=seed),
        lambda seed: BruteForceSampler(seed=seed),
    ],
    ids=["tpe", "univariate", "random", "brute"],
)
def test_every_proposal_keeps_to_conditions_and_constraints(tmp_path, make):
    found = propose(
        tmp_path,
        11,
        make,
        Space((*SPACE[:2], parameter("slope", "choice(1,2)", when="heads > 1")), ["width % heads == 0"]),
    )
    assert len(found) == 11
    for values in found:
        assert values["width"] % values["heads"] == 0
        assert ("slope" in values) == (values["heads"] > 1)


def test_nothing_is_proposed_twice_while_there_is_something_new(tmp_path):
    small = Space([parameter("a", "choice(1,2,3)"), parameter("b", "choice(1,2,3)")], ["a <= b"])
    found = propose(tmp_path, 7, space=small)
    distinct = {tuple(values.items()) for values in found}
    assert len(distinct) == 6  # all there are
    assert len({tuple(values.items()) for values in found[:6]}) == 6


def test_a_search_with_a_grid_visits_it(tmp_path):
    grid = {"a": [1, 2], "b": [1, 3]}
    space = Space([parameter("a", "choice(1,2)"), parameter("b", "choice(1,3)")])
    found = propose(tmp_path, 4, lambda seed: GridSampler(grid, seed=seed), space)
    assert {(values["a"], values["b"]) for values in found} == {(1, 1), (1, 3), (2, 1), (2, 3)}


def test_proposals_do_not_depend_on_interruptions(tmp_path):
    for name in ("whole", "interrupted"):
        (tmp_path / name).mkdir()
    whole = propose(tmp_path / "whole", 9, seed=3)
    assert propose(tmp_path / "interrupted", 9, seed=3, again=True) == whole
    assert len({str(values) for values in whole}) == 9


def test_the_baseline_is_trial_0(tmp_path):
    base = {"width": 12, "heads": 3, "slope": 0.5}
    assert propose(tmp_path, 3, baseline=base)[0] == base


def test_a_space_without_anything_allowed_says_so(tmp_path):
    with pytest.raises(UsageError, match=r"width > 99"):
        propose(tmp_path, 1, space=Space(SPACE, ["width > 99"]))


def test_a_sampler_gets_the_seed_where_it_takes_one():
    assert sampler_factory(functools.partial(RandomSampler))(5)._rng.rng.randint(99) == RandomSampler(
        5
    )._rng.rng.randint(99)
    fixed = sampler_factory(functools.partial(RandomSampler, seed=7))
    assert fixed(5)._rng.rng.randint(99) == RandomSampler(7)._rng.rng.randint(99)
    without = sampler_factory(functools.partial(PartialFixedSampler, {}, RandomSampler(seed=1)))
    assert isinstance(without(5), PartialFixedSampler)


def test_a_sampler_hears_what_its_trials_came_to(tmp_path):
    """Constraints on results (`constraints_func`) are noted after a trial; a grid that is done stops nothing."""

    def make(seed):
        return TPESampler(seed=seed, constraints_func=lambda trial: (trial.params["width"] - 16.0,))

    found = propose(tmp_path, 5, make)
    store = StudyStorage(str(tmp_path / "journal.log"))
    trials = store.storage.get_all_trials(store.storage.get_study_id_from_name("study"))
    assert [list(one.constraints.values()) for one in trials] == [[values["width"] - 16.0] for values in found]
    (tmp_path / "grid").mkdir()
    small = Space([parameter("width", "choice(16,32)")])
    grid = propose(tmp_path / "grid", 3, lambda seed: GridSampler({"width": [16, 32]}, seed=seed), small)
    assert sorted(one["width"] for one in grid[:2]) == [16, 32]
