"""What a setting may be, and what is said where it is something else."""

import pytest
from omegaconf import OmegaConf

from seqlab.config.setting_checks import texts_of
from seqlab.errors import InputError


@pytest.mark.parametrize(
    ("value", "texts"),
    [("outputs/runs/x", ("outputs/runs/x",)), (["a", "b"], ("a", "b")), ([], ()), (0, ("0",)), (["a", 7], ("a", "7"))],
)
def test_one_text_or_a_list_of_them(value, texts):
    assert texts_of(OmegaConf.create({"runs": value}), "runs") == texts


@pytest.mark.parametrize("value", [None, True, {"a": 1}, [None], ["a", ["b"]]])
def test_what_is_no_text_and_no_list_of_them_is_refused(value):
    with pytest.raises(InputError, match=r"^runs must be a name or a list of names, but is "):
        texts_of(OmegaConf.create({"runs": value}), "runs")
