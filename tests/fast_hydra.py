"""Hydra with less work, for tests: what is spared leaves a composition as it is, as `test_fast_hydra.py` shows."""

import contextlib
import pickle
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from unittest import mock

from hydra._internal.config_repository import ConfigRepository
from hydra._internal.hydra import Hydra
from support import ROOT

LOAD_CONFIG = ConfigRepository.load_config  # as Hydra has it
UNCHANGING = {"", "hydra.conf", "hydra_pruning_sweeper.conf", str(ROOT), str(ROOT / "conf")}
"""Where Hydra finds configurations that no test writes."""


@contextlib.contextmanager
def files_read_once() -> Iterator[dict]:
    """Spares a composition a third of its time: that of parsing YAML files which another one has parsed.

    Yields:
        What was read so far.
    """
    known = {}

    def load_config(self, config_path):
        places = tuple(source.path for source in self.sources)
        if not UNCHANGING.issuperset(places):
            return LOAD_CONFIG(self, config_path)
        if (places, config_path) not in known:
            known[places, config_path] = pickle.dumps(LOAD_CONFIG(self, config_path))
        return pickle.loads(known[places, config_path])  # a copy: composing changes it

    with mock.patch.object(ConfigRepository, "load_config", load_config):
        yield known


def composed_once(arguments: Iterable[object]) -> AbstractContextManager[object]:
    """Spares Hydra the composition by which it sees whether a multirun is asked for, where nothing asks for one."""
    if any(one in ("-m", "--multirun") or "hydra.mode" in one or "sweeps" in one for one in map(str, arguments)):
        return contextlib.nullcontext()
    return mock.patch.object(Hydra, "get_mode", lambda *_, **__: None)
