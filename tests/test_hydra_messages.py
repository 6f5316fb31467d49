"""What a command says in its one line of an error of Hydra's."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException

from seqlab.hydra_messages import one_line


@pytest.mark.parametrize(("name", "meant"), [("n_trails", "; did you mean n_trials?"), ("xyz", "")])
def test_a_setting_that_the_sweeper_does_not_have_is_named_with_the_nearest(tmp_path, name, meant):
    (tmp_path / "mine.yaml").write_text(
        f"defaults: [{{override hydra/sweeper: pruning}}, _self_]\nhydra: {{sweeper: {{{name}: 3}}}}\n"
    )
    with initialize_config_dir(str(tmp_path), version_base="1.3"), pytest.raises(HydraException) as caught:
        compose("mine")
    assert one_line(caught.value) == f"In 'mine': hydra.sweeper.{name}: no such setting{meant}"
