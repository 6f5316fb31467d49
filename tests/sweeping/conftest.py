"""Sweeps of a simulated training, in the test's folder."""

import optuna
import pytest
from sweeping.simulation import controller, executor

from seqlab.sweeping.executor import ForkExecutor


@pytest.fixture(autouse=True)
def _quiet_optuna():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(scope="session")
def shared():
    """An executor that all tests share, as its server takes a second to start: it closes when all are over."""

    class Shared(ForkExecutor):
        def close(self):
            pass

    one = executor(Shared)
    yield one
    ForkExecutor.close(one)


@pytest.fixture
def sweep(tmp_path, shared):
    """Runs a simulated sweep and gives its controller."""

    def run(**options):
        one = controller(tmp_path, **{"executor": lambda: shared, **options})
        one.run()
        return one

    return run
