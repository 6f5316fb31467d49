"""What a search saved, and what is known about the price."""

from reporting.page.made_up import gathered, replay, sweep

from seqlab.reporting.page.answers.early_stopping import saved_by_pruning


def text_of(tmp_path, *contents):
    return " ".join(saved_by_pruning(gathered(tmp_path, *contents)).sentences)


def test_what_pruning_saved_counts_validations(tmp_path):
    text = text_of(tmp_path, sweep())
    # Reported 4 + 1 + 4 + 1 + 2; in full 5 · 4.
    assert text.startswith("made_up: 3 of 5 trials were stopped early; 12 validations were run instead of 20, had")
    assert "at most 40% less training. The lowest value (by default a validation loss) is 0.9, of trial 2" in text
    assert "the configuration that the search began with has 1.2. Each trial is one seed" in text
    assert text.endswith("train both again to learn by how much it is better.")


def test_a_search_without_pruning_saved_nothing(tmp_path):
    content = sweep()
    for one in content["trials"]:
        one["state"] = "COMPLETE"
    assert "made_up: nothing by pruning: none of 5 trials was stopped early." in text_of(tmp_path, content)


def test_a_search_without_a_finished_trial_says_so(tmp_path):
    content = sweep() | {"best": None}
    content["trials"] = [{**one, "state": "RUNNING", "value": None, "steps": 0} for one in content["trials"]]
    assert text_of(tmp_path, content) == "made_up: no trial has ended."


def test_trials_that_were_stopped_at_the_last_step_saved_nothing(tmp_path):
    content = sweep()
    for one in content["trials"]:
        one["steps"] = 4
    assert "nothing: the 3 trials that were stopped, of 5, had run as long as the longest." in text_of(
        tmp_path, content
    )


def test_the_price_is_taken_from_recorded_curves(tmp_path):
    text = text_of(tmp_path, sweep(), replay())
    assert (
        "Of 2 other ways of searching, replayed on 12 recorded learning curves, 1 finds as good a value as “in full”"
        in text
    )
    assert "“stopping early” in 40% of its epochs in the median (2 of 2 seeds reached it), where it takes 85%" in text
    assert text.endswith("“hasty (as shipped)” does not (0 of 2).")
