"""The page is complete: it loads nothing, escapes everything, and every link and label has its target."""

import json
import os
import re
from pathlib import Path

import pytest
from lxml import html
from reporting.page.made_up import (
    claim_c,
    claim_g,
    claim_p,
    digest,
    found,
    reference,
    replay,
    sweep,
    write_references,
    write_run,
)

from seqlab.reporting.page.render import HERE, SCRIPTS, render
from seqlab.reporting.page.sources import gather
from seqlab.runs.output_classes import IN_WORDS
from seqlab.runs.schemas import SWEEP

EVIL = "</script><script>alert(1)</script><b>&\"'"
MULTI30K = "//section[@id='compare']//div[@class='panel'][h3='Multi30k de→en (reference)']//table"
DIAGRAM = '<svg role="img" viewBox="0 0 1 1"><title>parts of a gru</title></svg>'


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page of references and of runs whose names and texts try to be markup."""
    outputs = tmp_path_factory.mktemp("outputs")
    write_references(outputs, claim_c(), claim_g(), claim_p(), sweep(), replay(), reference("T", title=EVIL))
    evil = digest(data=EVIL, name=EVIL, command=f"seqlab-train {EVIL}", overrides={"a": EVIL})
    evil["samples"][0]["prediction"] = EVIL
    evil["settings"]["model"]["_target_"] = f"my.{EVIL}"
    evil["failures"] = {"rule": 1, "counts": {EVIL: 3}}
    evil["leakage"] = {EVIL: {EVIL: {"copies": 0.5}}}
    evil["environment"] = {EVIL: EVIL}
    runs = {write_run(outputs, "runs", "gru", "a"): evil, write_run(outputs, "runs", EVIL.replace("/", "|"), "b"): evil}
    write_run(outputs, "runs", "<b>", "c")  # listed as unreadable
    searched = {**sweep(), "study": EVIL, "parameters": [EVIL], "importance": {EVIL: 1.0}, "command": EVIL}
    searched["trials"] = [{**one, "parameters": {EVIL: EVIL}} for one in searched["trials"]]
    material = gather(outputs, None, runs.__getitem__, {}.__getitem__)
    material.sweeps.append(searched)
    return render(material, outputs / "report.html", {"gru": DIAGRAM})


@pytest.fixture(scope="module")
def tree(page):
    return html.document_fromstring(page)


def test_the_architectures_that_are_shown_are_explained(tree):
    names = tree.xpath("//section[@id='answers']/details//dl[@class='pair']/dt/text()")
    assert names == ["gru", "context_gru", "bahdanau", "transformer", "gpt"]


def test_yours_is_explained_where_some_runs_are(tree, tmp_path):
    (lead,) = tree.xpath("//section[@id='answers']/p[@class='lead']")
    assert "“Yours” are of this machine" in lead.text_content()
    write_references(tmp_path, claim_c())
    alone = html.document_fromstring(
        render(gather(tmp_path, None, {}.__getitem__, {}.__getitem__), tmp_path / "report.html")
    )
    (lead,) = alone.xpath("//section[@id='answers']/p[@class='lead']")
    assert "Yours" not in lead.text_content() and "All come with seqlab" in " ".join(lead.text_content().split())


def test_nothing_comes_from_elsewhere(page, tree):
    for name in ("src", "srcset", "poster", "data", "background"):
        assert not tree.xpath(f"//@{name}")
    assert not tree.xpath("//link | //iframe | //object | //embed | //img | //base")
    code = "".join(tree.xpath("//style/text() | //script/text()")).replace('"http://www.w3.org/2000/svg"', "a name")
    assert not re.search(r"url\(|@import|https?://|//[a-z]+\.[a-z]", code)
    assert "default-src 'none'" in page


def test_what_was_written_by_others_stays_text(page, tree):
    assert "<script>alert" not in page and "<b>" not in page
    assert len(tree.xpath("//script")) == 2
    assert EVIL in tree.text_content()
    for attribute in tree.xpath("//@*"):
        if attribute.attrname.startswith("on"):
            pytest.fail(attribute)


def test_data_for_the_script_is_as_it_was(tree):
    (text,) = tree.xpath("//script[@id='data']/text()")
    data = json.loads(text)
    assert EVIL in [
        output["prediction"] for one in data for sentence in one["sentences"] for output in sentence["outputs"]
    ]
    looks = next(o for one in data for s in one["sentences"] for o in s["outputs"] if "maps" in o)
    assert looks["sources"] == ["ein", "hund"] and looks["maps"]["attention"] == [[50, 50]] * 3


def test_ids_are_unique_and_links_and_labels_find_them(tree):
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    links = {href[1:] for href in tree.xpath("//a/@href") if href.startswith("#")}
    labels = {
        id for name in ("aria-labelledby", "aria-controls", "for") for v in tree.xpath(f"//@{name}") for id in v.split()
    }
    assert links | labels <= {*ids}


def test_every_drawing_has_a_text_in_its_place(tree):
    drawings = tree.xpath("//*[local-name()='svg']")
    assert len(drawings) > 10
    for one in drawings:
        assert one.get("aria-hidden") == "true" or (one.get("role") == "img" and one.xpath("./*[local-name()='title']"))
    figures = tree.xpath("//figure")
    assert figures and all(one.xpath(".//details//table//td") for one in figures)


def test_every_control_has_a_name(tree):
    for one in tree.xpath("//input | //select"):
        assert one.get("aria-label") or one.xpath("ancestor::label"), html.tostring(one)
    for one in tree.xpath("//button"):
        assert one.get("aria-label") or one.text_content().strip()


def test_every_figure_of_a_table_leads_to_its_command(tree):
    (cell,) = tree.xpath(f"{MULTI30K}//tr[th//a[.='bahdanau']]/td[contains(., '28.20 ±')]")
    (link,) = cell.xpath("./a")
    (run,) = tree.xpath(f"//article[@id='{link.get('href')[1:]}']")
    assert link.get("title") in run.text_content() and "experiment=multi30k_bahdanau" in link.get("title")


def test_a_run_that_is_here_is_linked_by_its_folder(tree):
    assert "./runs/gru/a" in tree.xpath("//article[@class='run']//a/@href")


def test_a_folders_name_cannot_become_another_scheme_or_path(tmp_path):
    places = ("javascript:alert(1)", "a b#c?d%2e", "data:text,html", "\udcff")
    runs = {write_run(tmp_path / place, str(i)): digest(overrides={"a": place}) for i, place in enumerate(places)}
    material = gather(tmp_path, [tmp_path], runs.__getitem__, {}.__getitem__)
    page = html.document_fromstring(render(material, tmp_path / "report.html").encode("utf-8", "replace"))
    assert sorted(page.xpath("//article[@class='run']//a/@href")) == [
        "./%FF/3",
        "./a%20b%23c%3Fd%252e/1",
        "./data%3Atext%2Chtml/2",
        "./javascript%3Aalert%281%29/0",
    ]


def test_what_stands_between_backticks_is_code_everywhere(tmp_path):
    """In the words of claims, of their runs, of folders that could not be read, and in answers."""
    words = {name: f"`{name}` <b>" for name in ("title", "text", "source", "why", "partial")}
    criterion = {name: f"`criterion_{name}`" for name in ("text", "expected", "measured", "why")} | {"holds": False}
    content = claim_c() | words | {"criteria": [criterion], "published": ["`published`"], "verdict": "does not hold"}
    content["groups"][0]["title"] = "`run`"
    write_references(tmp_path, content, claim_g(), sweep(), replay())
    material = gather(tmp_path, None, {}.__getitem__, {}.__getitem__)
    material.unread.append("`unread`")
    page = html.document_fromstring(render(material, tmp_path / "report.html"))
    assert "`" not in "".join(page.xpath("//body//text()[not(ancestor::script)]")) and not page.xpath("//b")
    shown = {*page.xpath("//code/text()")}
    assert {
        *words,
        *(f"criterion_{name}" for name in criterion if name != "holds"),
        "published",
        "run",
        "unread",
    } <= shown


def test_a_search_shows_where_trials_were_paused_and_promoted(tmp_path):
    plain, pausing = sweep(), sweep()
    pausing["study"], pausing["trials"][1]["pauses"] = "pausing", [{"step": 1, "promoted": True}]
    write_references(tmp_path, plain, pausing)
    page = html.document_fromstring(render(gather(tmp_path, None, {}.__getitem__, {}.__getitem__), tmp_path / "p.html"))
    shown = {name: page.xpath(f"//article[@id='sweep-{name}']")[0] for name in ("made-up", "pausing")}
    assert "paused" not in shown["made-up"].text_content()
    assert "1 had been paused" in shown["pausing"].text_content()
    rows = shown["pausing"].xpath(".//*[@aria-label='Trials of pausing']//tbody/tr")
    assert [row.xpath("string(td[4])") for row in rows][:2] == ["–", "after 1, promoted"]


def test_a_claim_in_another_profile_does_not_repeat_its_text(tmp_path):
    write_references(tmp_path, reference("S"), reference("S", profile="full"), reference("T", text="Another."))
    page = html.document_fromstring(render(gather(tmp_path, None, {}.__getitem__, {}.__getitem__), tmp_path / "p.html"))
    text = page.xpath("string(//section[@id='claims'])")
    assert text.count("It carries more.") == 1 and "Claim S, run with PROFILE=full." in text and "Another." in text


def test_an_answer_begins_with_its_verdict_and_folds_the_evidence(tree):
    for answer in tree.xpath("//dl[@class='answers']//dd[not(p[@class='open'])]"):
        verdict, *more, folded = answer.xpath("./*")
        assert verdict.get("class") == "first" and len(verdict.text_content()) > 20
        assert all(one.get("class") in ("first", "scroll") for one in more)
        assert folded.tag == "details" and folded.get("open") is None
    caveats = tree.xpath("string(//ul[contains(@class, 'caveats')])")
    assert caveats.count("had their cores to themselves") == 1 and caveats.count("partly luck") == 1


def test_a_run_of_the_users_is_marked_wherever_it_appears(tmp_path):
    """Smoke tests are not the reference: tables, plots, sentences, failures and commands name them."""
    page = html.document_fromstring(render(found(tmp_path, [digest("gru")], claim_c()), tmp_path / "report.html"))
    for place in ("compare", "learning", "length", "failures", "commands"):
        text = page.xpath(f"string(//section[@id='{place}'])")
        assert text.count("(yours)") >= 1, place
    (data,) = page.xpath("//script[@id='data']/text()")
    assert [one["name"] for one in json.loads(data)[0]["groups"]].count("gru (yours)") == 1


def test_each_dataset_of_the_users_has_its_answer_in_sight_the_newest_first(tmp_path):
    """The references stand with the evidence; tables and sentences have the same order."""
    write_references(tmp_path, claim_c())
    runs = {}
    for ended, data in ((1e9, "old"), (2e9, "new")):
        for model in ("gru", "lstm"):
            folder = write_run(tmp_path, "runs", data, model)
            os.utime(folder / "result.json", (ended, ended))
            runs[folder] = digest(model, data=data, overrides={"model": model, "data": data})
    material = gather(tmp_path, None, runs.__getitem__, {}.__getitem__)
    page = html.document_fromstring(render(material, tmp_path / "p.html"))
    (best,) = page.xpath("//dl[@class='answers']/div[contains(dt, 'Which architecture is best')]/dd")
    assert best.xpath("./p/span/text()") == ["New (your runs)", "Old (your runs)"]
    assert best.xpath("./details/p[@class='first']/span/text()") == ["Multi30k de→en (reference)"]
    names = ["New (yours)", "Old (yours)", "Multi30k de→en (reference)"]
    assert page.xpath("//section[@id='compare']//h3/text()") == names
    (data,) = page.xpath("//script[@id='data']/text()")
    assert [one["title"] for one in json.loads(data)] == names


def test_a_search_of_several_objectives_has_a_table_of_pareto_trials(tmp_path):
    study = {**sweep(), "best": None, "objectives": {"loss": "minimize", "size": "maximize"}, "pareto": [0, 2]}
    study["trials"] = [{**one, "value": None, "values": [one["value"], 64.0]} for one in study["trials"]]
    study["trials"][4]["values"] = []  # diverged
    study["importance"] = {}
    SWEEP(study)
    material = found(tmp_path, [digest()])
    material.sweeps.append(study)
    page = html.document_fromstring(render(material, tmp_path / "p.html"))
    pareto, all_trials = page.xpath("//div[contains(@aria-label, 'rials of made_up')]/table")
    heads = ["trial", "state", "loss (minimize)", "size (maximize)", "validations", *study["parameters"]]
    assert ["".join(one.itertext()) for one in pareto.xpath(".//thead//th")] == heads
    assert [one.text_content() for one in pareto.xpath(".//tbody//th")] == ["0 (Pareto)", "2 (Pareto)"]
    assert [one.text_content() for one in pareto.xpath(".//tbody/tr[1]/td")][:4] == ["complete", "1.2", "64", "4"]
    assert [one.text_content() for one in all_trials.xpath(".//tbody/tr[5]/td")][:3] == ["pruned", "–", "–"]


def test_signs_of_a_table_are_explained_below_it_where_they_appear(tmp_path):
    note = "string(//section[@id='compare']//div[@class='sortable'][1]/p[@class='note'])"
    write_references(tmp_path, claim_c())
    several = html.document_fromstring(render(gather(tmp_path, None, {}.__getitem__, {}.__getitem__), tmp_path / "p"))
    text = several.xpath(note)
    assert "Bold: the best" in text and "p over examples: how often chance alone" in text and "–: not measured." in text
    alone = html.document_fromstring(render(found(tmp_path / "one", [digest()]), tmp_path / "p")).xpath(note)
    assert not [sign for sign in ("Bold", "p: ", "–: ") if sign in alone]


def test_the_uncertainty_of_few_examples_stands_below_the_table(tmp_path):
    few, many = digest("gru", measured={"test": 25}), digest("lstm", measured={"test": 2500})
    page = html.document_fromstring(render(found(tmp_path, [few, many]), tmp_path / "p"))
    note = page.xpath("string(//section[@id='compare']//div[@class='sortable'][1]/p[@class='note'])")
    assert "gru (yours): test has only 25 examples: its exact match of 20% may as well be anything from 9%" in note
    assert "lstm" not in note


def test_what_is_only_stated_counts_as_a_comparison_as_in_readme(tmp_path):
    stated = {"text": "exact match", "expected": "stated", "measured": "99 %", "holds": True}
    write_references(tmp_path, claim_c(), reference("S", criteria=[stated]))
    page = html.document_fromstring(render(gather(tmp_path, None, {}.__getitem__, {}.__getitem__), tmp_path / "p.html"))
    assert page.xpath("//a[@href='#claims'][not(ancestor::nav)]/text()") == ["1 claim and 1 comparison"]
    verdicts = page.xpath("//table[@class='verdicts']//td/span/text()")
    assert verdicts == ["holds", "comparison"]


def test_a_box_names_the_datasets_in_full_and_without_script_all_are_there(tree):
    for section in ("compare", "learning"):
        options = tree.xpath(f"//select[@id='{section}-choice']/option")
        panels = tree.xpath(f"//section[@id='{section}']/div[@class='panel']")
        assert [one.get("value") for one in options] == [one.get("id") for one in panels] and len(panels) > 1
        assert [one.text for one in options] == [one.findtext("h3") for one in panels]
        assert not [one for one in panels if one.get("hidden") is not None]


def test_the_best_of_a_column_is_bold_and_p_is_in_its_column(tree):
    (best,) = tree.xpath(f"{MULTI30K}//td[@class='best'][contains(., '28.20 ±')]")
    assert best.xpath("../th//a/text()") == ["bahdanau"]
    rows = {row.xpath("string(th)").strip(): row for row in tree.xpath(f"{MULTI30K}/tbody/tr")}
    assert "≤\u00a00.002" in rows["context_gru"].text_content() and "leads" in rows["bahdanau"].text_content()


def test_every_tie_for_best_stands_out(tmp_path):
    write_references(tmp_path, claim_c(best=21.004), sweep_with_ties())
    page = html.document_fromstring(render(gather(tmp_path, None, {}.__getitem__, {}.__getitem__), tmp_path / "p.html"))
    bold = page.xpath("//table[@id='compare-0-table']//td[@class='best'][contains(., '21.20 ±')]")
    assert [cell.xpath("string(../th//a)") for cell in bold] == ["bahdanau", "context_gru"]  # the best first
    marked = page.xpath("//tr[@class='best'][contains(th, '(best)')]/th/text()")
    assert [text.split()[0] for text in marked] == ["0", "2"]


def sweep_with_ties():
    content = sweep()
    content["trials"][0]["value"] = content["trials"][2]["value"]
    return content


def test_the_rule_that_sorts_outputs_is_stated(tree):
    (section,) = tree.xpath("//section[@id='failures']")
    assert IN_WORDS in section.text_content() and "51.5% (159)" in section.text_content()


def test_answers_lead_to_the_very_table_or_plot(tree):
    links = {link.text: link.get("href")[1:] for link in tree.xpath("//dl[@class='answers']//p[@class='see']/a")}
    assert tree.xpath(f"//*[@id='{links['table, Multi30k de→en']}']/ancestor::div[@class='panel']/h3/text()") == [
        "Multi30k de→en (reference)"
    ]
    assert links["loss against time, Multi30k de→en"] == "time-multi30k-de-en"
    assert links["plot, Multi30k de→en"] == "length-multi30k-de-en"
    assert links["pruning on recorded curves"] == "replay"
    assert "not reached (0 of 2)" in tree.xpath("string(//article[@id='replay'])")


def test_what_a_claim_lacks_is_stated_once(tmp_path):
    reason = "1 of 3 runs of gru"
    open_one = {"text": "BLEU above", "expected": "more", "measured": "–", "holds": None, "why": reason}
    content = claim_c() | {"partial": "2 of 12 runs are not there", "verdict": "not comparable", "why": reason}
    write_references(tmp_path, content | {"criteria": [open_one]})
    page = html.document_fromstring(render(gather(tmp_path, None, {}.__getitem__, {}.__getitem__), tmp_path / "p.html"))
    claim = page.xpath("string(//details[@id='claim-C'])")
    assert claim.count(reason) == 1 and f"open: {reason}" in claim and "2 of 12 runs are not there" in claim


def test_sentences_that_are_not_committed_are_named_with_the_command_that_makes_them(tmp_path):
    content = claim_c()
    for group in content["groups"]:
        for run in group["runs"]:
            run.pop("samples", None)
    write_references(tmp_path, content, reference("T", {"gru": [digest(data="toy")]}))
    page = html.document_fromstring(render(gather(tmp_path, None, {}.__getitem__, {}.__getitem__), tmp_path / "p.html"))
    assert "The sentences of Multi30k de→en do not come with seqlab: make reproduce-C" in page.xpath(
        "string(//section[@id='sentences'])"
    )


def test_sections_without_material_are_left_out(tmp_path):
    write_references(tmp_path, sweep())
    page = html.document_fromstring(render(gather(tmp_path, None, {}.__getitem__, {}.__getitem__), tmp_path / "p.html"))
    sections = page.xpath("//section/@id")
    assert sections == ["answers", "sweeps", "commands"]
    assert [href[1:] for href in page.xpath("//nav/a/@href")] == sections


def test_a_digest_without_optional_parts_makes_a_page(tmp_path):
    bare = {
        key: value
        for key, value in digest().items()
        if key not in ("samples", "failures", "by_length", "curve", "leakage")
    }
    write_references(tmp_path, reference(groups={"gru": [bare]}))
    page = render(gather(tmp_path, None, {}.__getitem__, {}.__getitem__), tmp_path / "p.html")
    assert "make reproduce-C" in page and 'id="explorer"' not in page


def test_style_and_script_are_files_of_their_own():
    assert {path.name for path in Path(HERE / "assets").iterdir()} == {"style.css", *SCRIPTS}


def test_a_loss_beyond_all_bounds_is_called_diverged(tmp_path):
    runs = []
    for model, losses in (("gru", (4e30, 5e30)), ("lstm", (3.0, 4e30)), ("gpt", (101.0,)), ("bahdanau", (9.0, 99.0))):
        for seed, loss in enumerate(losses, 1):
            metrics = {"test": {"teacher_forced/loss": loss}}
            runs.append(digest(model, seed, metrics=metrics, overrides={"model": model, "seed": str(seed)}))
    page = html.document_fromstring(render(found(tmp_path, runs), tmp_path / "p.html"))
    rows = [row.text_content().split() for row in page.xpath("//table[@id='compare-0-table']/tbody/tr")]
    bahdanau, gpt, lstm, gru = (" ".join(row) for row in rows)
    assert "diverged in 2 of 2 seeds" in gru and "diverged in 1 of 2 seeds" in lstm
    assert "diverged" in gpt and "seeds" not in gpt and "54.0000 ± 63" in bahdanau and "diverged" not in bahdanau
    answers = page.xpath("string(//dl[@class='answers'])")
    assert "gru (yours), diverged in 2 of 2 seeds." in answers and "000000" not in answers
