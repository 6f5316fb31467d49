"""What a search saved, and what is known of the price."""

from reporting.page.made_up import gathered, replay, sweep

from seqlab.reporting.page.answers.searches import swept


def said(tmp_path, *contents):
    return " ".join(swept(gathered(tmp_path, *contents)).sentences)


def test_what_pruning_saved_counts_validations(tmp_path):
    text = said(tmp_path, sweep())
    # Reported 4 + 1 + 4 + 1 + 2; in full 5 · 4.
    assert text.startswith("made_up: 40% of the training. 3 of 5 trials were stopped early: 12 validations")
    assert "instead of 20. The lowest value (by default a loss of validation) is 0.9, of trial 2" in text
    assert "the configuration as it stood has 1.2." in text


def test_a_search_without_pruning_saved_nothing(tmp_path):
    content = sweep()
    for one in content["trials"]:
        one["state"] = "COMPLETE"
    assert "nothing by pruning: all of 5 trials ran to their end" in said(tmp_path, content)


def test_the_price_is_what_recorded_curves_say(tmp_path):
    text = said(tmp_path, sweep(), replay())
    assert "Of 2 other ways of searching, replayed on 12 recorded learning curves, 1 finds as much as “in full”" in text
    assert "“stopping early” in 40% of its epochs, where it takes 85% itself" in text
    assert text.endswith("“hasty (as shipped)” does not (0 of 2).")
