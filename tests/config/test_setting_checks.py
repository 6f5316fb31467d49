"""What a setting may be, and what is said where it is something else."""

import pytest
from omegaconf import OmegaConf

from seqlab.config.setting_checks import check_count, texts_of
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


@pytest.mark.parametrize("value", [1, 7, 2**40, "auto", None])
def test_a_count_is_an_integer_of_at_least_1_or_what_else_may_be_typed(value):
    check_count("jobs", value, "auto", None)
    check_count("seed", 0, least=0, most=5)
    check_count("seed", 5, least=0, most=5)


@pytest.mark.parametrize("value", [True, False, 0, -1, 1.5, "many", "auto", None, [1]])
def test_what_is_no_count_is_refused_true_and_false_too(value):
    with pytest.raises(InputError, match=r"^jobs must be an integer of at least 1, but is "):
        check_count("jobs", value)


@pytest.mark.parametrize(
    ("others", "bounds", "allowed"),
    [
        ((None,), {}, "an integer of at least 1 or null"),
        (("auto", None), {}, "an integer of at least 1, auto or null"),
        ((), {"least": 0, "most": 7}, "an integer of 0 to 7"),
    ],
)
def test_what_a_count_may_be_is_said(others, bounds, allowed):
    with pytest.raises(InputError, match=f"^jobs must be {allowed}, but is 8.5$"):
        check_count("jobs", 8.5, *others, **bounds)
    with pytest.raises(InputError, match=allowed):
        check_count("jobs", -1, *others, **bounds)
