"""What a validation loss on familiar text is worth: as the planted control has it."""

from reporting.page.made_up import claim_g, gathered

from seqlab.reporting.page.answers.notes import phase_1


def said(tmp_path, **figures):
    return " ".join(phase_1(gathered(tmp_path, claim_g(**figures))).sentences)


def test_a_loss_that_is_far_lower_than_on_other_text_means_little(tmp_path):
    text = said(tmp_path, planted=(4.6, 4.4, 3.1))
    assert text.startswith("Not by itself: 4.65 nats a token on held-out sentences of the same notes, 6.10 on a story")
    assert "5.8% of its validation sentences stand in training" in text


def test_what_copies_gain_is_held_against_the_gap(tmp_path):
    text = said(tmp_path, planted=(4.6, 4.5, 4.4))
    assert "planted in training (5 epochs each) it is 4.60, 4.50, 4.40: it falls" in text
    assert "that is 0.20 of a gap of 1.45: most of it is likeness" in text
    assert "likeness" not in said(tmp_path, planted=(4.6, 4.4, 3.1))


def test_a_loss_that_does_not_fall_is_not_called_memory(tmp_path):
    text = said(tmp_path, planted=(4.4, 4.6, 4.5), outside=4.0)
    assert text.startswith("As much as any") and "it is 4.40, 4.60, 4.50." in text and "falls" not in text
