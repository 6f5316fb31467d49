"""What compute buys, drawn and told from a reference file."""

import re

import pytest
from reporting.page.made_up import claim_p, gathered, reference, sentences

from seqlab.reporting.page.answers.scaled_up import scaled_up
from seqlab.reporting.page.render import render
from seqlab.reporting.page.scaling import scalings
from seqlab.reporting.power_law_table import rows


def test_sizes_are_drawn_beside_their_law():
    (one,) = scalings([claim_p(), reference()])
    assert one.quality == "bits per byte" and one.figure.heads[0] == "TFLOP of training"
    assert one.figure.heads[1:] == ["lstm", "lstm, law", "gpt", "gpt, law"]
    assert one.figure.legend == [("lstm", 0), ("gpt", 1)]
    at, lstm, law, *_ = one.figure.rows[0]
    assert (at, lstm) == ("0.4", law), "the made-up sizes lie on their law"
    assert len(re.findall(r'class="point"', one.figure.svg)) == 6, "only what was measured is marked"
    assert one.rows[1] == ["`gpt`", "3", "0.0550 (0.0500 to 0.0600)", "−11.9%", "0.990"]


@pytest.mark.parametrize(("lstm", "overlap"), [((0.02, 0.03), False), ((0.02, 0.055), True)])
def test_the_answer_says_who_gains_the_most_and_whether_that_is_shown(tmp_path, lstm, overlap):
    (verdict,) = sentences(scaled_up(gathered(tmp_path, claim_p(lstm=lstm))))
    assert "bits per byte 11.9% lower with gpt" in verdict and "lower with lstm" in verdict
    assert ("The intervals of gpt and lstm overlap" in verdict) is overlap


@pytest.mark.parametrize(("exponent", "change"), [(0.05, "10.9% lower"), (-0.05, "12.2% higher")])
def test_a_law_of_one_seed_is_told_with_what_it_does_not_show(tmp_path, exponent, change):
    claim = claim_p()
    (fit,) = claim["power_laws"]
    fit["lines"] = [fit["lines"][0] | {"exponent": exponent, "interval": None}]
    (answer,) = sentences(scaled_up(gathered(tmp_path, claim)))
    assert f"bits per byte {change} with lstm, by power laws" in answer
    assert "Only one seed has all sizes" in answer and "overlap" not in answer


def test_a_law_that_rises_has_its_sign_in_the_table():
    (fit,) = claim_p(lstm=(-0.06, -0.04))["power_laws"]
    assert [row[3] for row in rows(fit)] == ["+12.2%", "−11.9%"]


def test_without_such_a_claim_the_answer_is_the_command_that_makes_one(tmp_path):
    answer = scaled_up(gathered(tmp_path, reference()))
    assert (answer.conclusions, answer.run) == ([], "make reproduce-P")


def test_the_page_links_the_answer_to_the_plot_and_the_plot_to_the_claim(tmp_path):
    html = render(gathered(tmp_path, claim_p()), tmp_path / "report.html")
    assert 'id="scaling-p"' in html and 'href="#scaling-p"' in html and 'href="#claim-P"' in html
    assert "<code>gpt</code></th><td>3</td>" in html
