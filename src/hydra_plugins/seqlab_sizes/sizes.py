"""Makes the group `sizes` from the table in conf/sizes.yaml: its option `small_gru` is the table's row gru, small.

Hydra composes whole files, not rows of one, but also what its ConfigStore holds. So sizes are chosen by a line under
`defaults`, like files, and shown by `--cfg job` and `--info defaults`; your own model gets its sizes from files.
"""

import yaml  # type: ignore[import-untyped]
from hydra.core.config_store import ConfigStore

from seqlab import paths

GROUP = "sizes"
TABLE = "sizes.yaml"

# Every command reads the table as it starts. PyYAML's parser in C, where it was built, takes a tenth of the time of
# OmegaConf.load, which uses the one in Python.
loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
for model, sizes in yaml.load((paths.config_dir() / TABLE).read_text(encoding="utf-8"), loader).items():
    for size, settings in sizes.items():
        ConfigStore.instance().store(group=GROUP, name=f"{size}_{model}", node=settings, provider="seqlab_sizes")
