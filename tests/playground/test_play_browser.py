"""The page in headless Chromium, as a person uses it: type, wait for tokens, look, branch, compare, share."""

import urllib.parse

import pytest
from browser import Page, chromium
from lxml import etree
from playground.conftest import REVERSAL, served
from playground.made_runs import CHARACTERS, made_run

from seqlab.kinds import NOTHING
from seqlab.playground.named_bundles import named_bundles
from seqlab.playground.played_models import played_models
from seqlab.playground.server import play_app

REVERSED = "reversal of 1 to 10 integers 1..15"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


TEXT = "the captain waits for the ferry\n\nthe ferry waits for the captain\n\n" * 90


@pytest.fixture(scope="module")
def run(writer, tmp_path_factory):
    """A run on a short text, of a language model."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "text.txt").write_text(TEXT)
    data = {"_target_": "seqlab.data.documents.Documents", "tokenizer": CHARACTERS, "path": "text.txt", "length": 9}
    return made_run(folder / "ferry", writer, {**data, "boundaries": "none", "split": "tail"}, started=folder)


@pytest.fixture(scope="module")
def address(models, writer, run, tmp_path_factory):
    """Of a page with four models that reverse lists, one of them of a run, and two that continue texts."""
    lists = {"_target_": "seqlab.data.reversal.Reversal", "samples": 4000}
    gru = made_run(tmp_path_factory.mktemp("lists") / "gru", REVERSAL / "gru", lists)
    four = [models[name] for name in ("bahdanau", "gpt", "transformer")]
    with served(play_app([*four, *played_models(named_bundles([gru, writer, run]), NOTHING)])) as port:
        yield f"http://127.0.0.1:{port}/"


class PlayPage(Page):
    """The page with its state in the link, and what tests wait for."""

    def __init__(self, driver, address, width=1280, scheme="light", **state):
        driver.get("about:blank")  # another link alone would not load the page again
        super().__init__(driver, f"{address}#{urllib.parse.urlencode(state, doseq=True)}", width, scheme)

    def until(self, script, *arguments):
        """Waits until `script` is true, and gives its value."""
        from selenium.webdriver.support.ui import WebDriverWait

        wait = WebDriverWait(self.driver, 40)
        return wait.until(lambda driver: driver.execute_script(f"return {script}", *arguments), script)

    def answered(self, source, count=4):
        """Waits until so many models have answered this source."""
        self.until(
            "findAll('.card').length === arguments[1] && !drawing"
            " && Object.values(answers).every((one) => one.source === arguments[0])"
            " && findAll('.card').every((one) => one.dataset.state !== 'busy')",
            source,
            count,
        )

    def card(self, name, selector=""):
        return f'.card[data-model="{name}"] {selector}'

    def words(self, name, selector):
        """The text of a part of a card, which may be drawn anew at any moment."""
        return self.js("find(arguments[0]).textContent", self.card(name, selector))

    def written(self, name):
        """The tokens of a model's answer."""
        return self.js("answers[arguments[0]].tokens", name)


@pytest.fixture
def page(browser, address):
    page = PlayPage(browser, address, source="3 1 2")
    page.answered("3 1 2")
    yield page
    assert page.errors() == []


def test_every_model_answers_while_one_types(page):
    from selenium.webdriver.common.keys import Keys

    box = page.one("#source")
    assert page.written("gru") == ["2", "1", "3", "<eos>"]
    box.send_keys(" 14")
    page.answered("3 1 2 14")
    assert page.written("gru")[0] == "14"
    assert [one.text for one in page.all(".card h3 .class")] == ["right"] * 4
    assert "4 of 4 have answered, 4 right" in page.one("#status").text
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys(Keys.BACKSPACE)
    page.until("!findAll('.card').length && find('#status').textContent === 'Type something.'")


def test_a_slider_makes_the_list_longer_until_models_fail(page):
    from selenium.webdriver.common.keys import Keys

    slider = page.one("#length")
    for _ in range(15):
        slider.send_keys(Keys.ARROW_RIGHT)
    source = page.js("find('#source').value")
    assert len(source.split()) == 18 and source.startswith("3 1 2 ")
    page.answered(source)
    verdicts = {one.get_attribute("data-model"): one.text for one in page.all(".card")}
    assert "wrong" in verdicts["gru"] and f"right would be: {' '.join(source.split()[::-1])}" in verdicts["gru"]
    assert page.all(page.card("gru", ".token.wrong"))
    slider.send_keys(Keys.HOME)
    page.answered("3")


def test_one_list_proves_little_so_many_are_tried(page):
    assert "They were trained on lists of 1 to 10 numbers from 1 to 15" in page.one("#task").text
    assert page.one("#length-text").text == "3"
    page.click(page.one("#another"))
    page.until("state.source !== '3 1 2' && state.source.split(' ').length === 3")
    page.answered(page.js("state.source"))
    page.click(page.one("#try-many"))
    page.until(
        "Object.values(many).length === 4 && Object.values(many).every((one) => one.answered === 20) && !drawing"
    )
    assert page.one(page.card("bahdanau", ".many")).text == "right on 20 of 20 lists of 3"
    page.js("document.querySelector('#source').select()")
    page.one("#source").send_keys("1 2 3 4 5 6 7 8 9 10 11 12")
    page.until("find('#length-text').textContent === '12, longer than any in training (10)'")


def test_what_a_model_does_not_know_is_said_with_what_it_knows(browser, address):
    page = PlayPage(browser, address, source="3 99 2")
    page.answered("3 99 2")
    card = page.one(page.card("bahdanau")).text
    assert "unknown input" in card and "does not know 99: numbers are 1 to 15" in card


def test_pointing_at_a_token_shows_where_the_model_looked(page):
    from selenium.webdriver import ActionChains

    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", page.one(page.card("bahdanau")))
    ActionChains(page.driver).move_to_element(page.all(page.card("bahdanau", ".token"))[2]).perform()
    page.until("state.step === 2 && !drawing")
    assert page.one(page.card("bahdanau", ".attended")).text.startswith("writes “3”, looks at “3” ")
    assert page.all(".token.now")[0].text.split()[0] == "3"
    shares = page.js(
        f"findAll('{page.card('bahdanau', '.source-token')}').map((one) => +one.style.getPropertyValue('--share'))"
    )
    assert shares == page.js("answers.bahdanau.maps.attention[2][0]") and max(shares) == shares[0] > 50
    assert "has no attention" in page.one(page.card("gru", ".attended")).text
    assert page.one(page.card("gpt", ".attended")).text.endswith("; the rest at what it wrote before")
    assert "the rest" not in page.one(page.card("transformer", ".attended")).text


def test_arrow_keys_step_and_enter_holds(page):
    from selenium.webdriver.common.keys import Keys

    page.driver.execute_script("find('#cards').focus()")
    page.press(Keys.ARROW_RIGHT)
    page.press(Keys.ARROW_RIGHT)
    page.until("state.step === 2 && find('#step-text').textContent === '3 of 4'")
    page.driver.execute_script("find('.token.now').focus()")
    page.press(Keys.ENTER)
    page.until("find('#step-text').textContent === '3 of 4, held' && document.activeElement.classList.contains('now')")
    page.press(Keys.ARROW_LEFT)
    page.until("state.step === 1 && !drawing && document.activeElement.dataset.step === '1'")
    page.press(Keys.ESCAPE)
    page.until("find('#step-text').textContent === '2 of 4'")


def test_layers_and_heads_are_chosen(page):
    page.choose(page.card("gpt", "[data-key=layer]"), "stack.blocks.1.self_attention")
    page.choose(page.card("gpt", "[data-key=head]"), "2")
    page.click(page.one(page.card("gpt", "summary")))
    page.until("!drawing")
    assert "stack.blocks.1.self_attention" in page.js("find('.card[data-model=gpt] caption').textContent")
    rows = page.js("findAll('.card[data-model=gpt] tbody td').map((one) => parseInt(one.textContent))")
    assert rows == page.js("answers.gpt.maps['stack.blocks.1.self_attention'].flatMap((heads) => heads[1])")


def test_a_click_on_another_token_makes_the_model_go_on_from_it(page):
    page.click(page.all(page.card("gru", ".token"))[1])
    page.until("held && state.step === 1 && !drawing")
    other = page.all(page.card("gru", ".likeliest button"))[1]
    text = other.text.split()[0]
    page.click(other)
    page.until("answers.gru.steps[1]?.forced && answers.gru.state === 'done' && !drawing")
    assert page.written("gru")[:2] == ["2", text] and "you chose token 2; it goes on" in page.one(page.card("gru")).text
    assert page.written("gpt") == ["2", "1", "3", "<eos>"]
    page.click(page.one(page.card("gru", "[data-key=free]")))
    page.until("answers.gru.state === 'done' && !answers.gru.steps[0].forced && !drawing")
    assert page.written("gru") == ["2", "1", "3", "<eos>"]


def test_the_focus_stays_with_what_was_chosen(page):
    from selenium.webdriver.common.keys import Keys

    focus = "document.activeElement.dataset.key ?? document.activeElement.className"
    page.js("act.go(1)")
    page.until("!drawing && state.step === 1")
    other = page.all(page.card("gru", ".likeliest button"))[1]
    key = other.get_attribute("data-key")
    other.send_keys(Keys.ENTER)
    page.until("answers.gru.steps[1]?.forced && answers.gru.state === 'done' && !drawing")
    assert page.js(focus) == key
    page.one(page.card("gru", "[data-key=free]")).send_keys(Keys.ENTER)
    page.until("answers.gru.state === 'done' && !answers.gru.steps[0].forced && !drawing")
    assert "token now" in page.js(focus)  # the button is gone


def test_a_beam_grows_as_a_tree(page):
    page.choose("#search", "beam")
    page.until("answers.gru?.beam.length && findAll('.card').every((one) => one.dataset.state === 'done') && !drawing")
    states = page.js("findAll('.card[data-model=gru] .node').map((one) => one.classList[1])")
    assert states[0] == "going" and {"going", "ended", "pruned"} <= set(states)
    best = page.js("findAll('.card[data-model=gru] .node.best text:first-of-type').map((one) => one.textContent)")
    assert best == page.written("gru")
    steps = page.js("answers.gru.beam.length")
    page.driver.execute_script(
        "const one = find('.card[data-model=gru] [data-key=steps]');"
        "one.value = 1; one.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    page.until("!drawing && find('.card[data-model=gru] svg title').textContent === 'Beam search after 1 steps'")
    assert f"1 of {steps}" in page.one(page.card("gru")).text
    page.one("#length_penalty").clear()
    page.one("#length_penalty").send_keys("9")
    page.until("location.hash.includes('length_penalty=9')")
    page.until(
        "state.settings.beam.length_penalty === 9 && Object.values(answers).every((one) => one.state === 'done')"
    )


def test_samples_are_as_the_link_says(browser, address):
    state = {"source": "3 1 2 4 5 6 7", "search": "sample", "temperature": 4, "seed": 7}
    first, second = (PlayPage(browser, address, **state) for _ in range(2))
    first.answered(state["source"])
    drawn = first.js("Object.values(answers).map((one) => one.tokens.join(' '))")
    second.driver.refresh()
    second.answered(state["source"])
    assert second.js("Object.values(answers).map((one) => one.tokens.join(' '))") == drawn
    second.one("#seed").clear()
    second.one("#seed").send_keys("8")
    second.until("location.hash.includes('seed=8') && Object.values(answers).every((one) => one.state === 'done')")
    assert second.js("Object.values(answers).map((one) => one.tokens.join(' '))") != drawn


def test_changing_one_number_shows_which_outputs_and_attention_change(page):
    page.click(page.one("#pin"))
    box = page.one("#source")
    box.clear()
    box.send_keys("3 9 2")
    page.answered("3 9 2")
    changed = page.js("findAll('.card[data-model=bahdanau] .token').map((one) => one.classList.contains('changed'))")
    assert changed == [False, True, False, False]
    assert "before: 2 1 3 · 1 of 4 tokens changed; of the attention at most" in page.one(page.card("bahdanau")).text
    assert "with those to “3 1 2”" in page.one("#pinned").text
    page.click(page.one("#pin"))
    page.until("!findAll('.token.changed').length")


def test_the_link_holds_the_whole_state(browser, address):
    state = {"source": "5 4 9 2", "step": 2, "hide": ["gpt", "transformer"], "pin": "5 4 1 2"}
    state |= {"forced gru": "13.12", "layer bahdanau": "attention|mean"}
    state |= {"pin search": "sample", "pin temperature": "5", "pin forced bahdanau": "9.9"}
    page = PlayPage(browser, address, **state)
    page.answered("5 4 9 2", count=2)
    page.until("pinned.bahdanau?.state === 'done' && !drawing")
    assert page.js("pinned.bahdanau.steps.map((one) => one.id)")[:2] == [9, 9]
    assert page.written("gru")[:2] == ["10", "9"] and page.one("#source").get_attribute("value") == "5 4 9 2"
    assert page.one("#step-text").text.startswith("3 of ") and page.one("#pin").get_attribute("aria-pressed") == "true"
    assert page.all(page.card("bahdanau", ".token.changed"))
    again = dict(urllib.parse.parse_qsl(page.js("location.hash.slice(1)")))
    assert {**again, "hide": 0} == {**state, "data": REVERSED, "search": "greedy", "step": "2", "hide": 0}
    assert page.errors() == []


def test_the_button_turns_day_into_night_and_back(page):
    ground = "getComputedStyle(document.body).backgroundColor"
    day = page.js(ground)
    page.click(page.one("#theme"))
    assert page.js(ground) != day and page.one("#theme").get_attribute("aria-label") == "Light colours"
    page.click(page.one("#theme"))
    assert page.js(ground) == day


def test_what_appears_in_training_is_marked_in_a_text(browser, address):
    page = PlayPage(browser, address, data="", source="the captain waits for a", training="marked")
    page.until("seen.ferry?.state === 'seen' && seen.letters?.state === 'unseen' && answers.ferry?.state === 'done'")
    page.until("!drawing && !find('#training').disabled")
    assert "a bundle alone does not keep" in page.one(page.card("letters", "[data-part=training]")).text
    assert "1 of 1" not in page.one(page.card("ferry", "[data-part=training]")).text
    assert "the most similar is “the captain waits for the ferry”" in page.one(page.card("ferry")).text
    marks = page.js(f"findAll('{page.card('ferry', '.text > *')}').map((one) => +one.style.getPropertyValue('--seen'))")
    # "the captain waits for " is 22 tokens in a row of training; with the "a" after it, no five are.
    assert marks[:23] == [3] * 22 + [0] and not any(marks[23:])
    page.click(page.one("#training"))
    page.until("!location.hash.includes('training') && !findAll('.seen').length && !drawing")
    page.click(page.one("#training"))
    page.until("location.hash.includes('training=marked') && findAll('.seen').length === 22")
    assert page.errors() == []


def test_what_appears_in_training_is_known_of_a_source(browser, address):
    page = PlayPage(browser, address, source="4", training="marked")
    page.until("seen.gru?.state === 'seen' && seen.bahdanau?.state === 'unseen' && !drawing")
    assert page.words("gru", "[data-part=training]").startswith("Training data: this source appears there")
    assert "a bundle alone" in page.words("bahdanau", "[data-part=training]")
    box = page.one("#source")
    box.send_keys(" 4" * 11)
    page.until("seen.gru?.state === 'seen' && seen.gru.source === '4' + ' 4'.repeat(11) && !drawing")
    page.until("answers.gru.source === seen.gru.source")
    assert "this source does not appear there" in page.words("gru", "[data-part=training]")
    assert page.errors() == []


def test_pointing_at_a_token_of_a_text_shows_where_the_model_looked(browser, address):
    page = PlayPage(browser, address, data="", source="the captain", step=5)
    page.until("answers.letters?.looked?.step === 5 && !drawing")
    strip = page.card("letters", ".strip.text .source-token")
    assert "".join(page.js(f"findAll('{strip}').map((one) => one.textContent)")) == "the ca"
    attended = page.card("letters", ".attended")
    text = page.js(f"findAll('{attended}').map((one) => one.textContent)[0]")  # in one call: the page may draw again
    assert text.startswith("writes “p”, looks at “")
    page.choose(page.card("letters", "[data-key=head]"), "2")
    page.until("!drawing && state.layer.letters?.[1] === '2'")
    shares = page.js(f"findAll('{strip}').map((one) => +one.style.getPropertyValue('--share'))")
    assert shares == page.js("Object.values(answers.letters.looked.maps)[0][1]") and sum(shares) > 90
    page.click(page.one("#step-on"))
    page.until("answers.letters.looked.step === 6 && !drawing")
    assert "".join(page.js(f"findAll('{strip}').map((one) => one.textContent)")) == "the cap"
    assert page.errors() == []


HOSTILE = "<img src=x onerror=alert(1)>"


def test_a_hostile_link_does_nothing(browser, address):
    state = {
        "source": HOSTILE,
        "search": "__proto__",
        "step": "9e99",
        "temperature": "x",
        "pin": HOSTILE,
        "hide": HOSTILE,
    }
    page = PlayPage(browser, address, **state, **{"forced gru": "x.-1.5", "layer gru": "a|b", "layer __proto__": "x|y"})
    page.until(
        "findAll('.card').length === 4 && findAll('.card').every((one) => one.dataset.state !== 'busy') && !drawing"
    )
    assert page.js("document.images.length") == 0
    assert "does not know <img, src=x" in page.one(page.card("bahdanau")).text
    assert page.errors() == []


def test_a_text_is_continued_and_its_surprise_measured(page):
    page.choose("#pick-data", "unknown data")
    box = page.one("#source")
    assert page.one("#source-name").text == "Text to continue" and not page.one("#list").is_displayed()
    box.send_keys("the captain")
    page.until("answers.letters?.state === 'done' && answers.letters.source === 'the captain' && !drawing")
    page.click(page.one("#models button:last-child"))
    page.until("findAll('.card').length === 1 && answers.letters.state === 'done' && !drawing")
    assert page.js("find('.card .text').textContent.startsWith('the captain')")
    bits = page.js("answers.letters.steps.filter((one) => one.prompt).map((one) => -Math.log2(one.p))")
    assert len(bits) == 10
    assert f"10 tokens, perplexity {2 ** (sum(bits) / 10):.1f}" in page.words("letters", "")
    shade = page.js("+find('.card .token').style.getPropertyValue('--bits')")
    assert shade == pytest.approx(bits[0], abs=1e-3)


def test_an_answer_is_saved_as_svg(page):
    name = page.one(page.card("bahdanau", "[data-key=save]")).get_attribute("download")
    drawn = page.js(
        "new DOMParser().parseFromString(decodeURIComponent(find('.card[data-model=bahdanau] [data-key=save]')"
        ".href.split(',').slice(1).join(',')), 'image/svg+xml').documentElement"
        ".querySelectorAll('rect[fill-opacity]').length"
    )
    assert name == "bahdanau.svg" and drawn == 4 * 3


SAVED = """
const link = find(arguments[0]);
const text = decodeURIComponent(link.href.split(",").slice(1).join(","));
const saved = new DOMParser().parseFromString(text, "image/svg+xml");
return [link.download, saved.documentElement.outerHTML, saved.querySelectorAll(arguments[1]).length];
"""


def test_a_beam_is_saved_as_svg_as_far_as_it_is_shown(browser, address):
    from selenium.webdriver.common.keys import Keys

    page = PlayPage(browser, address, source="3 1 2", search="beam")
    page.answered("3 1 2")
    shown = page.js(f"findAll('{page.card('gru', '.node')}').length")
    link = page.card("gru", "[data-key=save-beam]")
    name, drawn, nodes = page.driver.execute_script(SAVED, link, ".node")
    assert (name, nodes) == ("gru-beam.svg", shown) and "gru: 3 1 2 (beam of 4, length penalty 0.6)" in drawn
    page.one(page.card("gru", "[data-key=steps]")).send_keys(Keys.HOME)
    page.until("!drawing && shownSteps.gru === 1")
    assert page.driver.execute_script(SAVED, link, ".node")[2] < shown
    assert page.errors() == []


def test_a_text_is_saved_as_svg(browser, address):
    page = PlayPage(browser, address, data="", source="the\ncaptain <&")
    page.answered("the\ncaptain <&", count=2)
    name, drawn, rows = page.driver.execute_script(SAVED, page.card("letters", "[data-key=save]"), "rect[fill-opacity]")
    assert name == "letters.svg" and rows > 20 and drawn.startswith("<svg")
    assert page.errors() == []


@pytest.mark.parametrize("search", ["greedy", "beam"])
def test_what_is_saved_is_xml_whatever_is_typed(browser, address, search):
    source = "3\N{NO-BREAK SPACE}<1\f&"
    page = PlayPage(browser, address, source=source, search=search)
    page.answered(source)
    for link in page.all(page.card("gru", "a.save")):
        content = urllib.parse.unquote(link.get_attribute("href").partition(",")[2])
        words = [one.text for one in etree.fromstring(content).iter("{http://www.w3.org/2000/svg}text")]
        assert words[0].startswith("gru: 3\N{NO-BREAK SPACE}<1\N{REPLACEMENT CHARACTER}&")
    assert page.errors() == []


@pytest.mark.parametrize("begins", ["", "a"])
def test_a_long_text_is_not_cut_within_a_character(browser, address, begins):
    source = begins + "\N{GRINNING FACE}" * 120
    page = PlayPage(browser, address, source=source)
    page.answered(source)
    drawn = page.driver.execute_script(SAVED, page.card("gru", "[data-key=save]"), "rect")[1]
    assert f">gru: {begins}\N{GRINNING FACE}" in drawn and "\N{GRINNING FACE}…<" in drawn
    label = "treeNode({ x: 0, y: 0, text: arguments[0], state: 'going', score: 0, rank: 0 }).children[2].textContent"
    assert page.js(label, source) == f"{source[:5]}…"
    assert page.errors() == []


EVERYWHERE = """
const seen = (selector) => findAll(selector).filter((one) => one.checkVisibility());
const fits = document.documentElement.scrollWidth <= innerWidth;
const parts = seen("main :is(p, h1, h3, button, select, input, textarea, li, svg, table)");
const over = (one) => one.getBoundingClientRect().right > innerWidth + 0.5;
const cut = parts.filter((one) => !one.closest(".scroll, .unseen") && over(one));
const named = (one) => one.textContent.trim() || one.getAttribute("aria-label") || one.labels?.length;
const unnamed = seen("button, select, input, textarea, [role=button]").filter((one) => !named(one));
return [fits, cut.map((one) => one.outerHTML), unnamed.map((one) => one.outerHTML)];
"""
VIEWS = {
    "greedy": {"source": "3 14 1 5 9 2 6 11 7 12 13 1", "pin": "3 14 1 5 9 2 6 11 7 12 13 2", "step": 3},
    "sample": {"source": "3 14 1 5 9 2 6 11 7 12 13 1", "search": "sample", "temperature": 3},
    "beam": {"source": "3 14 1 5 9 2 6 11 7 12 13 1", "search": "beam", "step": 2},
    "text": {"source": "the captain waits for the ferry\n\nwhere is it\n\nthe ferry", "data": "", "training": "marked"},
    "training": {"source": "3 14 1 5 9 2 6 11 7 12", "training": "marked", "step": 1},
}


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1280, "light")])
@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_cut_or_without_a_name(browser, address, view, scheme, width):
    page = PlayPage(browser, address, width, scheme, **VIEWS[view])
    page.answered(VIEWS[view]["source"], count=2 if view == "text" else 4)
    page.until("!state.training || Object.values(seen).every((one) => /seen$/.test(one.state)) && !drawing")
    page.driver.execute_script(
        "for (const one of findAll('.card summary')) one.click();"
    )  # a redraw cannot come between
    assert page.driver.execute_script(EVERYWHERE) == [True, [], []]
    assert page.errors() == []
