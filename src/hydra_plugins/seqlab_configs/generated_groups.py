"""The groups of seqlab's commands whose options are not the files of a folder of `conf/`: `sweeps` and `sizes`.

Hydra imports this file in every application on the machine. Others see neither group.
"""

from __future__ import annotations

from pathlib import Path

import yaml  # type: ignore[import-untyped]
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.object_type import ObjectType
from hydra.plugins.search_path_plugin import SearchPathPlugin

from seqlab import paths

SEARCHES = "sweeps"
SIZES = "sizes"
SIZES_TABLE = "sizes.yaml"


class SearchesSource(FileConfigSource):
    """The folder that contains `sweeps/`, which is beside `conf/` in a checkout; Hydra sees nothing else of it."""

    @staticmethod
    def scheme() -> str:
        return "seqlab-searches"

    def is_group(self, config_path: str) -> bool:
        return config_path.strip("/") in ("", SEARCHES) and super().is_group(config_path)

    def is_config(self, config_path: str) -> bool:
        return config_path.startswith(f"{SEARCHES}/") and super().is_config(config_path)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        return super().list(config_path, results_filter) if self.is_group(config_path) else []


class GroupsPath(SearchPathPlugin):
    """Adds both groups, if it is seqlab's configuration that is composed."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if not any(one.provider == "main" and _is_ours(one.path) for one in search_path.get_path()):
            return
        search_path.append("seqlab_searches", f"{SearchesSource.scheme()}://{paths.searches_dir().parent}")
        store_sizes()


def _is_ours(path: str) -> bool:
    return "://" not in path.removeprefix("file://") and Path(path.removeprefix("file://")) == paths.config_dir()


def store_sizes() -> None:
    """Makes the group `sizes` from the table in conf/sizes.yaml: its option `small_gru` is the table's row gru, small.

    Hydra composes whole files, not rows of one, but also what its ConfigStore holds. So sizes are chosen by a line
    under `defaults`, like files, and shown by `--cfg job` and `--info defaults`; your own model gets its sizes from
    files.
    """
    # Every command reads the table as it starts. PyYAML's parser in C, where it was built, takes a tenth of the time of
    # OmegaConf.load, which uses the one in Python.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    table = yaml.load((paths.config_dir() / SIZES_TABLE).read_text(encoding="utf-8"), loader)
    for model, sizes in table.items():
        for size, settings in sizes.items():
            ConfigStore.instance().store(group=SIZES, name=f"{size}_{model}", node=settings, provider="seqlab_configs")
