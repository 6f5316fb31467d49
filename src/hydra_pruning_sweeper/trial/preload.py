"""Imported by the server from which trials are forked: imports what every trial needs, and finds Hydra's plugins.

Nothing may be computed here, since threads do not survive a fork.
"""

import importlib.util

from hydra.core.plugins import Plugins

import hydra_pruning_sweeper.trial.attached_trial
import hydra_pruning_sweeper.trial.hydra_callback

if importlib.util.find_spec("lightning"):
    import hydra_pruning_sweeper.trial.lightning_callback  # noqa: F401

Plugins.instance()
