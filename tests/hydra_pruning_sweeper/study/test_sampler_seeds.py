"""Which seeds samplers are made with."""

import functools

from optuna.samplers import RandomSampler
from sweeper_support.simulation import SPACE

from hydra_pruning_sweeper.study.rules import Rules
from hydra_pruning_sweeper.study.sampler import sampler_factory
from hydra_pruning_sweeper.study.shared_study import SharedStudy
from hydra_pruning_sweeper.study.space import Space
from hydra_pruning_sweeper.study.storage import StudyStorage


def seeds(folder, seed, trials=3):
    """The seeds that the samplers of so many trials are made with."""
    made = []

    def make(own):
        made.append(own)
        return RandomSampler(seed=own)

    shared_study = SharedStudy(
        StudyStorage(str(folder / "journal.log")), "s", "minimize", Space(SPACE), Rules(trials), make, seed=seed
    )
    for _ in range(trials):
        shared_study.take()
    return made


def test_each_trial_of_each_search_has_a_seed_of_its_own_and_the_same_each_time(tmp_path):
    first, again, other = (seeds(tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert first == again
    assert all(isinstance(seed, int) for seed in first)
    assert len({*first, *other}) == 6


def test_a_sampler_that_is_a_function_gets_the_seed_too():
    def takes(seed=None):
        return RandomSampler(seed=seed)

    made = []
    for make in (takes, functools.partial(takes), functools.partial(takes, seed=5), lambda: RandomSampler(seed=9)):
        sampler = sampler_factory(make)(3)
        made.append(sampler._rng.rng.randint(10**9))
    three, five, nine = (RandomSampler(seed=seed)._rng.rng.randint(10**9) for seed in (3, 5, 9))
    assert made == [three, three, five, nine]
