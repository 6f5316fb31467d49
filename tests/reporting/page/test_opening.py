"""What the page opens with: which source is telling, and what is drawn of it."""

import re

from reporting.page.made_up import digest

from seqlab.reporting.attention_panel import attention_panel
from seqlab.reporting.page.figures import Figure
from seqlab.reporting.page.groups import RunGroup
from seqlab.reporting.page.opening import opening

NAMES = ("gru", "lstm", "bahdanau", "conv")
GROUPS = [{"id": name, "name": name, "colour": i} for i, name in enumerate(NAMES)]


def output(group, prediction, match, tokens=()):
    maps = {"attention": [[100, 0]] * len(tokens), "attention head 1": [[0, 100]] * len(tokens)} if tokens else {}
    attended = {"maps": maps, "sources": ["a", "b"], "tokens": list(tokens)} if tokens else {}
    return {"group": group, "prediction": prediction, "class": "", "match": match, **attended}


def run_groups(*names):
    return [RunGroup(name, "", "", name, False, True, "", [digest(name)]) for name in names]


def sentence(source, *matches):
    """Outputs of gru, lstm, bahdanau and conv, as far as there are `matches`."""
    tokens = [(), (), ("b", "<eos>"), ("b", "<eos>")]
    outputs = [output(i, f"{source} by {i}", match, tokens[i]) for i, match in enumerate(matches)]
    return {"source": source, "reference": source[::-1], "outputs": outputs}


def dataset(*sentences, title="lists"):
    return {"title": title, "groups": GROUPS, "sentences": list(sentences)}


def test_the_longest_source_on_which_all_without_attention_fail_is_shown():
    found = opening(
        [
            dataset(
                sentence("1 2 3 4", True, False, True, True),
                sentence("1 2", False, False, True, True),
                sentence("1 2 3", False, False, True, False),
                sentence("1 2 3 4 5", False, False, False, False),
            )
        ],
        [],
        run_groups(*NAMES),
    )
    assert (found.title, found.source, found.reference) == ("lists", "1 2 3", "3 2 1")
    assert found.wrong == [("gru", "1 2 3 by 0"), ("lstm", "1 2 3 by 1")]
    assert len(found.panels) == 1 and "Where bahdanau looks" in found.panels[0]
    assert found.panels[0].count('fill-opacity="1.00"') == 2  # of the mean, not of a head
    assert found.length is None


def test_the_first_dataset_that_has_such_a_source_is_taken_with_its_plot():
    all_right = dataset(sentence("1 2", True, True, True, True), title="easy")
    alone = dataset({**sentence("1 2"), "outputs": [output(2, "x", True, ("b",))]}, title="one model")
    telling = dataset(sentence("1 2", False, True, True, True), title="hard")
    plot = Figure(
        id="length-hard",
        title="hard",
        note="",
        svg='<svg aria-labelledby="length-hard-title"/>',
        legend=[],
        heads=[],
        rows=[],
    )
    found = opening([all_right, alone, telling], [plot], run_groups(*NAMES))
    assert found.title == "hard"
    assert (found.length.id, str(found.length.svg)) == (
        "opening-length",
        '<svg aria-labelledby="opening-length-title"/>',
    )
    assert opening([all_right, alone], [plot], run_groups(*NAMES)) is None


def test_only_models_with_one_vector_of_the_source_are_said_to_fail_for_it():
    """Without maps are also outputs of a model that could not be loaded, and of mixers with a state per layer."""
    names = ("gru", "transformer", "gpt", "bahdanau")
    outputs = [output(number, f"by {name}", False) for number, name in enumerate(names[:3])]
    telling = {**sentence("1 2 3"), "outputs": [*outputs, output(3, "3 2 1", True, ("b", "<eos>"))]}
    data = {**dataset(telling), "groups": [{"id": name, "name": name, "colour": 0} for name in names]}
    assert opening([data], [], run_groups(*names)).wrong == [("gru", "by gru")]
    telling["outputs"].pop(0)
    assert opening([data], [], run_groups(*names)) is None


def test_long_tokens_are_written_aslant_and_have_room():
    short = attention_panel("luong", ["1", "12"], ["12"], [[0.0, 1.0]], "blue")
    long = attention_panel("luong", ["Zwei", "spielen"], ["playing", "<eos>"], [[0.0, 1.0], [0.5, 0.5]], "blue")
    assert "rotate" not in short.content and long.content.count("rotate(-60") == 2
    assert long.width > short.width and long.height > short.height + 24
    assert re.findall(r'fill-opacity="([\d.]+)"', long.content) == ["0.06", "1.00", "0.53", "0.53"]
    assert ">end</text>" in long.content and "<script" not in attention_panel("<script>", ["a"], [], [], "red").content
