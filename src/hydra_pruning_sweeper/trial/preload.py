"""Imported by the server from which trials are forked: imports what trials of any application need, and finds Hydra's
plugins.

Nothing may be computed here, since threads do not survive a fork.
"""

from hydra.core.plugins import Plugins

Plugins.instance()
