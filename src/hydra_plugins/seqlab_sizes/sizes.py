"""Makes the group `sizes` of the table in conf/sizes.yaml: `small_gru` is what the table has under gru, small.

Hydra composes whole files, not rows of one, but also what its ConfigStore holds. So sizes are chosen by a line under
`defaults`, like files, and shown by `--cfg job` and `--info defaults`; a model of one's own gets its size from a file.
"""

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from seqlab import paths

GROUP = "sizes"
TABLE = "sizes.yaml"

for model, sizes in OmegaConf.load(paths.config_dir() / TABLE).items():
    for size, settings in sizes.items():
        ConfigStore.instance().store(group=GROUP, name=f"{size!s}_{model!s}", node=settings, provider="seqlab_sizes")
