"""Imports what every trial needs, and finds Hydra's plugins, in the server from which trials are forked.

Nothing is computed here: threads do not live through a fork.
"""

import importlib.util

from hydra.core.plugins import Plugins

import seqlab.sweeping.attachment
import seqlab.sweeping.hook

if importlib.util.find_spec("lightning"):
    import seqlab.sweeping.callback  # noqa: F401

Plugins.instance()
