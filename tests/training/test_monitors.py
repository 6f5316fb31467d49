"""How long a run takes, as a person says it."""

import pytest

from seqlab.training.monitors import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "a second"), (42.4, "42 s"), (200, "3 min 20 s"), (59.9, "60 s"), (7500, "2 h 5 min")],
)
def test_durations_are_short(seconds, text):
    assert duration(float(seconds)) == text
