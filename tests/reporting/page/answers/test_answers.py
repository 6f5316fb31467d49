"""Questions that nothing was measured for stay open."""

from seqlab.reporting.page.answers import answers
from seqlab.reporting.page.sources import Material


def test_what_was_not_measured_is_open_and_says_what_to_run():
    *asked, rerun = answers(Material())
    assert len(asked) == 6 and all(not one.sentences and one.run.startswith("make ") for one in asked)
    assert rerun.sentences and not rerun.command
