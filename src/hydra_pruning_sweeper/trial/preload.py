"""Imports what every trial needs, and finds Hydra's plugins, in the server from which trials are forked.

Nothing is computed here: threads do not live through a fork.
"""

import importlib.util

from hydra.core.plugins import Plugins

import hydra_pruning_sweeper.trial.attached_trial
import hydra_pruning_sweeper.trial.hydra_callback

if importlib.util.find_spec("lightning"):
    import hydra_pruning_sweeper.trial.lightning_callback  # noqa: F401

Plugins.instance()
