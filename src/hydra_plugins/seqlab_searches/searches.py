"""Makes `+sweeps=NAME` find the files of the folder `sweeps/`, which is beside `conf/` in a checkout."""

from __future__ import annotations

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.plugins.search_path_plugin import SearchPathPlugin

from seqlab import paths

GROUP = "sweeps"


class SearchesSource(FileConfigSource):
    """The folder that contains `sweeps/`; Hydra sees nothing else of it."""

    @staticmethod
    def scheme() -> str:
        return "seqlab-searches"

    def is_group(self, config_path: str) -> bool:
        return config_path.strip("/") in ("", GROUP) and super().is_group(config_path)

    def is_config(self, config_path: str) -> bool:
        return config_path.startswith(f"{GROUP}/") and super().is_config(config_path)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        return super().list(config_path, results_filter) if self.is_group(config_path) else []


class SearchesPath(SearchPathPlugin):
    """Adds that folder to Hydra's search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append("seqlab_searches", f"{SearchesSource.scheme()}://{paths.searches_dir().parent}")
