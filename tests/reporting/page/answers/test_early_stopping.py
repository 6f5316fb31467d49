"""What a search saved, and what is known about the price."""

from reporting.page.made_up import gathered, replay, sweep, text_of

from seqlab.reporting.page.answers.early_stopping import saved_by_pruning


def about_searches(tmp_path, *contents):
    return text_of(saved_by_pruning(gathered(tmp_path, *contents)))


def test_what_pruning_saved_counts_validations(tmp_path):
    text = about_searches(tmp_path, sweep())
    # Reported 4 + 1 + 4 + 1 + 2; in full 5 · 4.
    assert text.startswith(
        "made_up (reference): 3 of 5 trials were stopped early; 12 validations were run instead of 20, had"
    )
    assert "at most 40% less training. The lowest value (by default a validation loss) is 0.9, of trial 2" in text
    assert text.endswith("the configuration that the search began with has 1.2.")
    assert "Each trial of a search is one seed" in saved_by_pruning(gathered(tmp_path, sweep())).limit


def test_a_search_without_pruning_saved_nothing(tmp_path):
    content = sweep()
    for one in content["trials"]:
        one["state"] = "COMPLETE"
    assert "made_up (reference): nothing by pruning: none of 5 trials was stopped early." in about_searches(
        tmp_path, content
    )


def test_a_search_without_a_finished_trial_says_so(tmp_path):
    content = sweep() | {"best": None}
    content["trials"] = [{**one, "state": "RUNNING", "value": None, "steps": 0} for one in content["trials"]]
    assert about_searches(tmp_path, content) == "made_up (reference): no trial has ended."


def test_trials_that_were_stopped_at_the_last_step_saved_nothing(tmp_path):
    content = sweep()
    for one in content["trials"]:
        one["steps"] = 4
    assert "nothing: the 3 trials that were stopped, of 5, had run as long as the longest." in about_searches(
        tmp_path, content
    )


def test_the_price_is_taken_from_recorded_curves(tmp_path):
    text = about_searches(tmp_path, sweep(), replay())
    assert (
        "of 2 other ways of searching, replayed on 12 recorded learning curves, 1 finds as good a value as “in full”"
        in text
    )
    assert "“stopping early” in 50% of its epochs in the median (2 of 2 seeds reached it)" in text
    assert text.endswith("“hasty (as published)” does not (0 of 2).")
