"""The page in headless Chromium: everything that can be clicked is clicked, at a phone's width and a desk's, by day and
by night, and nothing runs over the edge or into an error."""

import csv
import io
import urllib.parse

import pytest
import yaml
from browser import Page, chromium
from lxml import etree
from reporting.page.made_up import claim_c, claim_g, digest, replay, sweep, write_references, write_run
from support import ROOT

from seqlab.reporting.page.render import render
from seqlab.reporting.page.sentence_explorer import PLAY_ADDRESS
from seqlab.reporting.page.sources import gather

LAYOUTS = [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A page with all its parts; a second dataset, to choose from."""
    outputs = tmp_path_factory.mktemp("outputs")
    write_references(outputs, claim_c(), claim_g(), sweep(), replay())
    runs = {
        write_run(outputs, "runs", model, "1"): digest(
            model, data="reversal of 1 to 10 integers", overrides={"m": model}
        )
        for model in ("gru", "bahdanau", "transformer", "lstm")
    }
    for folder in list(runs)[:2]:  # the others' models are not here
        (folder / "bundle").mkdir(exist_ok=True)
        (folder / "bundle/bundle.json").touch()
    material = gather(outputs, None, runs.__getitem__, {}.__getitem__)
    path = outputs / "report.html"
    diagram = '<svg role="img" viewBox="0 0 9 9" width="900"><title>a</title></svg>'
    path.write_text(render(material, path, {"gru": diagram, "lstm": diagram}), encoding="utf-8")
    return path


@pytest.fixture
def page(browser, place):
    page = Page(browser, place.as_uri(), 1280, "light")
    yield page
    assert page.errors() == []


EVERYTHING = """
const wide = [];
const fits = (what) => document.documentElement.scrollWidth <= innerWidth || wide.push(what);
const all = (selector) => [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility());
fits("at first");
for (const one of all("summary")) one.click();
fits("with all details open");
const left = new Set(document.querySelectorAll("button, nav a"));
const click = (one) => {
  one.click();
  left.delete(one);
  fits(one.outerHTML);
};
const change = (one) => one.dispatchEvent(new Event("change", { bubbles: true }));
const clickAll = () => {
  for (const one of all("details:not([open]) > summary")) one.click();
  all("button, nav a").filter((one) => left.has(one)).forEach(click);
};
clickAll();
for (const choice of all(".choice"))
  for (const option of choice.options) {
    choice.value = option.value;
    change(choice);
    clickAll();
  }
for (const selector of ["select[id]", ".card select"])
  for (const one of all(selector))
    for (let i = 0; i < one.options.length; i++) {
      one.selectedIndex = i;
      change(one);
      fits(one.outerHTML);
    }
for (const one of all("input[type=search], input[type=range]"))
  for (const value of ["2", "qqq", ""]) {
    one.value = value;
    one.dispatchEvent(new Event("input", { bubbles: true }));
    fits(one.outerHTML);
  }
return [wide, [...left].map((one) => one.outerHTML)];
"""


@pytest.mark.parametrize(("width", "scheme"), LAYOUTS)
def test_everything_is_clicked_and_nothing_breaks(browser, place, width, scheme):
    page = Page(browser, place.as_uri(), width, scheme)
    wide, left = page.driver.execute_script(EVERYTHING)
    assert wide == [] and left == [] and page.errors() == []


CUT = """
const cut = [];
const open = (one) => one.checkVisibility() && !one.closest(".unseen, .skip");
for (const one of document.querySelectorAll(".panel")) one.hidden = false;
for (const one of document.querySelectorAll("details")) one.open = true;
for (const one of document.querySelectorAll("main :is(table, svg, pre, p, h1, h2, h3, h4, dd, li, button, select)")) {
  const free = open(one) && !one.parentElement.closest(".scroll");
  if (free && one.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5) cut.push(one.outerHTML);
}
for (const text of document.querySelectorAll("figure svg text")) {
  const [inner, outer] = [text, text.ownerSVGElement].map((one) => one.getBoundingClientRect());
  if (open(text) && (inner.left < outer.left - 0.5 || inner.right > outer.right + 0.5)) cut.push(text.outerHTML);
}
const boxes = [...document.querySelectorAll(".scroll")].filter(open);
const scrolling = boxes.filter((one) => one.scrollWidth > one.clientWidth);
for (const one of scrolling) {
  const shaded = getComputedStyle(one).backgroundImage.includes("gradient");
  if (!shaded || one.offsetHeight === one.clientHeight) cut.push(one.outerHTML);
}
return [cut, scrolling.map((one) => one.getAttribute("aria-label"))];
"""


@pytest.mark.parametrize("width", [400, 600, 800, 1000, 1200, 1400])
def test_nothing_is_cut_and_what_scrolls_shows_it(browser, place, width):
    cut, scrolling = Page(browser, place.as_uri(), width, "light").driver.execute_script(CUT)
    assert cut == []
    tables = [name for name in scrolling if not name.startswith("Numbers")]  # those of a plot are as wide as it is
    assert bool(tables) == (width < 1000)


def contrast(a, b):
    """WCAG 2, relative luminance, of two colours `rgb(r, g, b)`."""

    def luminance(colour):
        parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted([luminance(a), luminance(b)], reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_stand_out(browser, place, scheme):
    page = Page(browser, place.as_uri(), 1280, scheme)

    def colour(name):
        script = """(() => { const e = document.createElement('i'); e.style.color = `var(--${arguments[0]})`;
          document.body.append(e); const c = getComputedStyle(e).color; e.remove(); return c; })()"""
        return page.js(script, name)

    for ground in ("paper", "panel"):
        for text in ("ink", "soft", "accent", "good", "bad"):
            assert contrast(colour(text), colour(ground)) >= 4.5, (text, ground)
    for line in range(9):
        assert contrast(colour(f"c{line}"), colour("paper")) >= 3, line


def test_the_toggle_turns_day_into_night_and_back(page):
    def ground():
        return page.js("getComputedStyle(document.body).backgroundColor")

    day, button = ground(), page.one("#theme")
    assert button.get_attribute("aria-label") == "Dark colours"
    page.click(button)
    assert ground() != day and button.get_attribute("aria-label") == "Light colours"
    page.click(button)
    assert ground() == day


def test_one_panel_of_those_in_the_box_is_shown(page):
    assert page.one("#compare-panel-1").is_displayed() and not page.one("#compare-panel-2").is_displayed()
    page.choose("#compare-choice", "Multi30k de→en (reference)")
    assert page.one("#compare-panel-2").is_displayed() and not page.one("#compare-panel-1").is_displayed()


def test_a_head_sorts_both_ways_by_value(page):
    def names():
        return [cell.text for cell in page.all("#compare-1-table tbody th")]

    page.choose("#compare-choice", "Multi30k de→en (reference)")
    (head,) = (one for one in page.all("#compare-1-table thead button") if one.text.startswith("tokens/s"))
    page.click(head)
    assert names() == ["bahdanau", "transformer", "context_gru", "gru"]
    page.click(head)
    assert names() == ["gru", "context_gru", "transformer", "bahdanau"]
    assert head.find_element("xpath", "..").get_attribute("aria-sort") == "descending"


def test_a_filter_keeps_the_rows_with_all_its_words(page):
    page.choose("#compare-choice", "Multi30k de→en (reference)")
    page.one("#compare-1 input").send_keys("gru CONTEXT")
    shown = [row.text for row in page.all("#compare-1-table tbody tr") if row.is_displayed()]
    assert len(shown) == 1 and shown[0].startswith("context_gru")
    assert page.one("#compare-1 .count").text == "1 of 4"


def saved(page, button):
    """(name, content) of the file that a button saves."""
    page.driver.execute_script(
        "window.files = []; HTMLAnchorElement.prototype.click = function () { files.push([this.download, this.href]); }"
    )
    page.click(button)
    ((name, href),) = page.js("window.files")
    return name, urllib.parse.unquote(href.partition(",")[2])


def test_a_comparison_is_saved_as_csv_with_all_digits_and_deviations(page):
    page.choose("#compare-choice", "Multi30k de→en (reference)")
    page.one("#compare-1 input").send_keys("gru")
    name, content = saved(page, page.one("#compare-1 .save"))
    heads, *rows = csv.reader(io.StringIO(content))
    assert name == "architectures_on_Multi30k_de_en_reference_.csv"
    assert sorted(row[0] for row in rows) == ["context_gru", "gru"], "rows that are filtered out are not saved"
    bleu = heads.index("token BLEU")
    assert heads[bleu + 1] == "token BLEU sd"
    values = {row[0]: (float(row[bleu]), float(row[bleu + 1])) for row in rows}
    assert values == {"gru": (pytest.approx(14.2), 0.1), "context_gru": (pytest.approx(21.2), 0.1)}


def test_a_comparison_is_saved_as_a_picture_of_the_column_it_is_sorted_by(page):
    page.choose("#compare-choice", "Multi30k de→en (reference)")
    _, button = page.all("#compare-1 .save")
    name, content = saved(page, button)
    picture = etree.fromstring(content)
    words = [text.text for text in picture.iter("{*}text")]
    assert name.endswith(".svg") and words[1] == "token BLEU" and "28.20 ± 0.10" in words
    widths = [float(bar.get("width")) for bar in picture.iter("{*}rect")][1:]
    assert widths[words[2::2].index("bahdanau")] == max(widths) and len(widths) == 4
    (head,) = (one for one in page.all("#compare-1-table thead button") if one.text.startswith("tokens/s"))
    page.click(head)
    assert [text.text for text in etree.fromstring(saved(page, button)[1]).iter("{*}text")][1].startswith("tokens/s")


def test_a_plot_is_saved_with_its_colours_and_without_hidden_lines(page):
    page.choose("#learning-choice", "Multi30k de→en (reference)")
    figure = page.one("#val-multi30k-de-en")
    page.click(figure.find_element("css selector", "summary"))
    page.click(figure.find_element("css selector", "[data-series=gru][aria-pressed]"))
    table, picture = figure.find_elements("css selector", ".save")
    heads = saved(page, table)[1].splitlines()[0].split(",")
    assert heads[0] == "epoch" and "gru" in heads
    drawn = etree.fromstring(saved(page, picture)[1])
    assert [one.get("data-series") for one in drawn.iter("{*}g") if one.get("data-series")] == [
        "context_gru", "bahdanau", "transformer",
    ]  # fmt: skip
    lines = [one for one in drawn.iter("{*}path") if one.get("class") == "line"]
    assert len({line.get("stroke") for line in lines}) == 3 and all("rgb" in line.get("stroke") for line in lines)


def test_a_plot_is_saved_as_xml_whatever_names_are_in_it(page):
    page.choose("#learning-choice", "Multi30k de→en (reference)")
    figure = page.one("#val-multi30k-de-en")
    page.click(figure.find_element("css selector", "summary"))
    rename = "for (const one of findAll('[data-series=gru]', arguments[0])) one.dataset.series = 'a\\u00a0<\\f&'"
    page.driver.execute_script(rename, figure)
    drawn = etree.fromstring(saved(page, figure.find_elements("css selector", ".save")[1])[1])
    words = [text.text for text in drawn.iter("{*}text")]
    assert "a\N{NO-BREAK SPACE}<\N{REPLACEMENT CHARACTER}&" in words


def test_a_name_in_a_legend_hides_its_line(page):
    page.choose("#learning-choice", "Multi30k de→en (reference)")
    figure = page.one("#val-multi30k-de-en")
    button = figure.find_element("css selector", "[data-series=gru][aria-pressed]")
    line = figure.find_element("css selector", "g[data-series=gru]")
    display = "getComputedStyle(arguments[0]).display"
    page.click(button)
    assert page.js(display, line) == "none" and button.get_attribute("aria-pressed") == "false"
    page.click(button)
    assert page.js(display, line) != "none"


def test_a_sentence_is_picked_and_stepped_through(page):
    from selenium.webdriver.common.keys import Keys

    def now():
        return [row.text.split("\n")[0] for row in page.all("#cards tr.now th")]

    page.choose("#pick-data", "Multi30k de→en (reference)")
    assert page.one("#the-source").text == "ein hund"
    assert [card.text for card in page.all(".card h3 a")] == ["gru", "context_gru", "bahdanau", "transformer"]
    page.click(page.one("#pick-next"))
    assert page.one("#the-source").text == "ein hund springt" and now() == ["a", "a"]
    page.click(page.one("#step-on"))
    assert now() == ["dog", "dog"] and page.one("#step-text").text == "2 of 4"
    page.driver.execute_script("arguments[0].focus()", page.one("#cards"))
    page.press(Keys.ARROW_RIGHT)
    assert now() == ["jumps", "jumps"]
    assert "looks at “ein” 33%" in page.one(".attended").text
    page.press(Keys.ARROW_DOWN)
    assert page.one("#the-source").text == "ein hund springt über"
    page.one("#pick-filter").send_keys("kleinen")
    assert [option.text for option in page.all("#pick-sentence option")] == ["5. ein hund springt über den kleinen"]


def test_a_sentence_is_opened_in_play(page, place):
    page.choose("#pick-data", "Multi30k de→en (reference)")
    assert not page.one("#play").is_displayed()  # results are kept, but no models
    page.choose("#pick-data", "Reversal of 1 to 10 integers (yours)")
    page.choose("#pick-sentence", "2. ein hund springt")
    page.click(page.one("#step-on"))
    runs = place.parent.resolve() / "runs"
    assert page.one("#play-command").text == f"seqlab-play 'runs=[{runs}/bahdanau/1,{runs}/gru/1]'"
    assert page.one("#play-missing").text == "Not on this machine: lstm (yours), transformer (yours)."
    address, _, state = page.one("#play-link").get_attribute("href").partition("#")
    assert address == PLAY_ADDRESS and dict(urllib.parse.parse_qsl(state)) == {
        "data": "reversal of 1 to 10 integers",
        "source": "ein hund springt",
        "search": "greedy",
        "step": "1",
    }


def test_plays_address_is_that_of_its_settings():
    settings = yaml.safe_load((ROOT / "conf/play.yaml").read_text(encoding="utf-8"))
    assert f"http://{settings['host']}:{settings['port']}/" == PLAY_ADDRESS


def test_words_that_the_reference_has_not_are_marked(page):
    page.choose("#pick-data", "Reversal of 1 to 10 integers (yours)")
    page.choose("#pick-sentence", "2. ein hund springt")
    assert [word.text for word in page.driver.find_elements("css selector", ".card u")] == []
    page.driver.execute_script("data[1].sentences[1].outputs[0].prediction = 'A dog, dog walks .'")
    page.choose("#pick-data", "Multi30k de→en (reference)")
    page.click(page.one("#pick-next"))
    assert [word.text for word in page.all(".card u")] == ["dog", "walks"]


def test_another_head_is_shown_and_stays_when_stepping(page):
    page.choose("#pick-data", "Multi30k de→en (reference)")
    page.choose("#cards select", "attention head 1")
    page.click(page.one("#step-on"))
    assert page.js("document.querySelector('#cards select').value") == "attention head 1"
    assert "attention head 1" in page.js("document.querySelector('[data-group=\"3\"] caption').textContent")


def test_samples_are_listed_by_class(page):
    page.choose("#browse-data", "Multi30k de→en (reference)")
    page.choose("#browse-group", "gru")
    buttons = {one.get_attribute("data-class"): one for one in page.all("#browse-classes button")}
    assert [one.text for one in buttons.values()] == ["good (2)", "missing words (2)", "degenerate (1)"]
    page.click(buttons["degenerate"])
    (sample,) = page.all("#browse-samples li")
    assert "ein hund springt über" in sample.text and buttons["degenerate"].get_attribute("aria-pressed") == "true"


def test_more_samples_come_when_asked(page):
    page.driver.execute_script("for (let i = 0; i < 1; i++) data[1].sentences.push(...data[1].sentences.slice(0, 3))")
    page.choose("#browse-data", "Multi30k de→en (reference)")
    page.choose("#browse-group", "gru")
    assert len(page.all("#browse-samples li")) <= 5 and not page.one("#browse-more").is_enabled()
    page.choose("#browse-group", "all")
    assert len(page.all("#browse-samples li")) == 5
    page.click(page.one("#browse-more"))
    assert len(page.all("#browse-samples li")) > 5


def test_a_figure_leads_to_its_command(page):
    page.choose("#compare-choice", "Multi30k de→en (reference)")
    page.click(page.one("#compare-1-table tbody th a"))
    target = page.one(".run:target")
    assert page.js("location.hash") == "#run-C-bahdanau" and "experiment=multi30k_bahdanau" in target.text


def test_a_link_to_what_is_folded_unfolds_it(page):
    claim = page.one("#claim-C")
    assert not claim.get_attribute("open")
    page.click(page.one(".verdicts a[href='#claim-C']"))
    assert claim.get_attribute("open") and page.one("#claim-C table").is_displayed()


def test_a_link_to_a_panel_that_is_not_chosen_chooses_it(page):
    hidden = page.one("#compare-1")
    assert not hidden.is_displayed()
    page.driver.execute_script("document.querySelector('.answers .see a').href = '#compare-1'")
    page.click(page.one(".evidence summary"))
    page.click(page.one(".answers .see a"))
    assert hidden.is_displayed() and page.one("#compare-choice").get_attribute("value") == "compare-panel-2"
    figure = page.one("figure[id^=val-notes-ml]").get_attribute("id")
    page.driver.get(page.driver.current_url.partition("#")[0] + f"#{figure}")
    page.driver.refresh()
    assert page.one(f"#{figure}").is_displayed()


def test_print_shows_all_panels(page):
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert all(panel.is_displayed() for panel in page.all(".panel"))
        assert not page.one("header").is_displayed()
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_folds_are_open_on_paper_and_nothing_is_cut(browser, place):
    page = Page(browser, place.as_uri(), 690, "light")  # A4 between its margins
    folds = "[...document.querySelectorAll('main details')]"
    assert page.js(f"{folds}.some((one) => one.open)") is False
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        page.driver.execute_script("dispatchEvent(new Event('beforeprint'))")
        closed = page.js(f"{folds}.filter((one) => !one.open).map((one) => one.className)")
        assert {*closed} == {"settings"} and page.js(f"{folds}.length") > len(closed)
        assert page.one(".evidence p").is_displayed()
        edges = "[...document.querySelectorAll('table, svg, pre')].map((one) => one.getBoundingClientRect().right)"
        assert page.js(f"Math.max(...{edges})") <= 690
    finally:
        page.driver.execute_script("dispatchEvent(new Event('afterprint'))")
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert page.js(f"{folds}.some((one) => one.open)") is False
