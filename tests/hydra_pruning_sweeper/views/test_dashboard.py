"""The dashboard is named where it can be started, else the line that installs it."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

from hydra_pruning_sweeper.names import NAMES
from hydra_pruning_sweeper.views.dashboard import how_to_watch


@pytest.fixture
def installed(monkeypatch):
    """Has the dashboard installed."""
    module = ModuleType("optuna_dashboard")
    module.__spec__ = ModuleSpec("optuna_dashboard", None)
    monkeypatch.setitem(sys.modules, "optuna_dashboard", module)


def test_an_installed_dashboard_is_named_with_what_it_opens(installed):
    assert how_to_watch("/s/journal.log") == "optuna-dashboard /s/journal.log"
    assert how_to_watch("/my s/journal.log") == "optuna-dashboard '/my s/journal.log'"
    assert how_to_watch("postgresql://me:…@host/db") == "optuna-dashboard 'postgresql://me:…@host/db'"
    assert how_to_watch("grpc://host:13000") is None


def test_else_the_line_that_installs_it_is(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(NAMES, "install_dashboard", 'pip install "mine[watching]"')
    shown = how_to_watch("/s/journal.log")
    assert shown == 'Optuna\'s dashboard, after pip install "mine[watching]"'
    assert how_to_watch("grpc://host:13000") is None
