"""A number and the command that makes it."""

from reporting.page.made_up import claim_c, gathered, sentences

from seqlab.reporting.page.answers.rerunning import rerun


def test_the_best_figure_stands_with_the_command_of_its_run(tmp_path):
    answer = rerun(gathered(tmp_path, claim_c(best=28.0)))
    assert "this command makes the 28.10 token BLEU of bahdanau, seed 1" in sentences(answer)[0]
    assert answer.command == "seqlab-train experiment=multi30k_bahdanau seed=1"
    assert answer.links[0] == ("its settings", "run-C-bahdanau")
    assert "`make reproduce-C` reruns all of claim C (Fixed vector against carried context)" in sentences(answer)[0]
