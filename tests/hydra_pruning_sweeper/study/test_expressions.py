"""Conditions over settings."""

import pytest

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.study.expressions import Expression

VALUES = {"model.width": 48, "model.heads": 4, "model": "gpt", "lr": 0.5}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("model.width % model.heads == 0", True),
        ("model.width % 7 == 0", False),
        ("model == 'gpt' and not lr > 1", True),
        ("model in ['gru', 'lstm'] or model.heads not in (1, 2)", True),
        ("1 < model.heads <= 4 < 5", True),
        ("1 < model.heads < 4 or model.heads < 2", False),
        ("-model.heads + 2 * 3 // 4 - 1", -4),
        ("model.width / model.heads", 12.0),
    ],
)
def test_it_says_what_python_says(text, value):
    assert Expression(text)(VALUES.__getitem__) == value


def test_it_names_the_settings_that_it_needs():
    assert Expression("model.width % model.heads == 0 and lr < 'x'").names == {"model.width", "model.heads", "lr"}


@pytest.mark.parametrize(
    "text", ["print(1)", "a.b[0]", "(lambda: 1)()", "a = 1", "a +", "f'{a}'", "a ** 9", "(a or b).c"]
)
def test_it_refuses_what_could_run_code(text):
    with pytest.raises(UsageError, match=r"expression|may contain|named by"):
        Expression(text)


@pytest.mark.parametrize(
    "text",
    [
        *("'a' * 10000000000", "['a'] * 10000000000", "'%999999999d' % 1", "10 ** 10 ** 10", "x" * 10_001),
        *("(" * 5000 + "1" + ")" * 5000, "-" * 9000 + "1", "\0", "9" * 5000),
        *("*".join(["9999999999"] * 900), "1e200 * 1e200 * 1.0", f"{10**99} * {10**99} * 1.5"),
    ],
)
def test_it_refuses_what_would_take_time_or_memory(text):
    with pytest.raises(UsageError):
        Expression(text)(VALUES.__getitem__)


def test_values_that_do_not_go_together_are_named():
    with pytest.raises(UsageError, match=r"model < 3"):
        Expression("model < 3")(VALUES.__getitem__)
    with pytest.raises(UsageError, match=r"zero"):
        Expression("lr / 0 == 1")(VALUES.__getitem__)
