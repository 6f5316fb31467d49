"""What is made in Python without settings is what the configuration makes by default."""

import inspect

import pytest
import yaml
from hydra.utils import get_object
from support import ROOT

from hydra_pruning_sweeper.study.shared_study import Rules
from hydra_pruning_sweeper.study.sweeper_settings import SweeperSettings
from seqlab.data.module import SequenceData

OTHERWISE = {
    ("model/gru", "cell"),  # one class of two files
    ("data/notes", "cleaning"),  # read as written, in Python
    ("data/notes", "limits"),  # None stands for those of the file
}


def own(path):
    """The settings of a file that makes something of seqlab's."""
    settings = yaml.safe_load(path.read_text())
    return settings if isinstance(settings, dict) and settings.get("_target_", "").startswith("seqlab.") else None


FILES = {
    str(path.relative_to(ROOT / "conf").with_suffix("")): settings
    for group in ("data", "decoding", "model", "optimizer", "scheduler")
    for path in sorted((ROOT / "conf" / group).glob("*.yaml"))
    if (settings := own(path))
}


@pytest.mark.parametrize("name", FILES)
def test_a_setting_has_one_default(name):
    given = inspect.signature(get_object(FILES[name]["_target_"])).parameters
    for setting, value in FILES[name].items():
        default = given[setting].default if setting in given else inspect.Parameter.empty
        if default is inspect.Parameter.empty or (name, setting) in OTHERWISE:
            continue
        assert (list(default) if isinstance(default, tuple) else default) == value, setting


def test_a_studys_rules_are_by_default_those_of_the_settings():
    rules, settings = Rules(1), SweeperSettings()
    expected = (settings.max_retry, settings.max_failure_rate, settings.lease)
    assert (rules.retries, rules.failures, rules.patience) == expected


def test_loading_has_one_default_for_all_data():
    given = inspect.signature(SequenceData).parameters
    settings = yaml.safe_load((ROOT / "conf/shared/loading.yaml").read_text())
    assert settings.pop("order_seed") == "${seed}"
    assert {name: given[name].default for name in settings} == settings
    assert SequenceData.boundaries == "none"  # of what is no stream
