"""`python -m seqlab.reporting.readme.pictures BUNDLES PAGE FOLDER`: draws README's pictures into FOLDER.

`attention.svg` from the models in BUNDLES, and where there is a Chromium to render them: `report.png`, the top of the
report PAGE, and `play.png`, the page of `seqlab-play` on which some of BUNDLES have answered. Each has a second file
for a dark background, with `_dark` in its name.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.quoting import quoted
from seqlab.errors import InputError
from seqlab.reporting.attention_panel import attention_panel, drawn_map
from seqlab.runs.samples import attention

SOURCE = "3 14 1 5 9 2 6 11 7"
SHOWN = {"bahdanau": "Bahdanau", "luong": "Luong", "transformer": "Transformer, mean of heads"}
"""Bundles whose attention is drawn, and the titles of their panels."""

GAP = 22
"""Pixels between panels."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
REPORT_SIZE, PLAY_SIZE = (1180, 820), (830, 960)
"""Width and height of the pieces of the pages, in pixels."""
PLAYED = ("bahdanau", "gru")
"""Bundles that answer on the picture of the page to play with."""
PLAYED_SOURCE = "3 14 1 5 9 2 6 11 7 12 4 8"
STEP = 4
"""The number that is looked at, counted from 0."""
ANSWERED = f"document.querySelectorAll('.card[data-state=done]').length === {len(PLAYED)}"
PATIENCE = 120
"""Seconds in which a page must be ready."""


class Colours(NamedTuple):
    """Of text and of what is looked at."""

    text: str
    accent: str


THEMES = {"": Colours("#1f2328", "#0969da"), "_dark": Colours("#e6edf3", "#58a6ff")}
"""By what is added to a file's name."""


def attention_svg(panels: Sequence[tuple[str, dict[str, Any]]], colours: Colours) -> str:
    """Attention side by side.

    Args:
        panels: title, and a sample of `seqlab.runs.samples.attention`, of which `drawn_map` is drawn.
    """
    drawn, left, height = [], 0.0, 0.0
    for title, sample in panels:
        maps = sample["attention"]
        shown = (sample["source_tokens"], sample["output_tokens"], maps[drawn_map(maps)])
        panel = attention_panel(title, *shown, colours.accent)
        drawn.append(f'<g transform="translate({left:.0f},0)">{panel.content}</g>')
        left, height = left + panel.width + GAP, max(height, panel.height)
    words = escape(f"Where {', '.join(title for title, _ in panels)} look while they reverse {SOURCE}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {left - GAP:.0f} {height:.0f}"'
        f' width="{left - GAP:.0f}" height="{height:.0f}" font-family="system-ui,sans-serif" font-size="12"'
        f' fill="{colours.text}"><title>{words}</title>{"".join(drawn)}</svg>\n'
    )


def draw_attention(bundles: Path, folder: Path) -> None:
    """Writes `attention.svg` and its dark twin.

    Raises:
        InputError: a bundle is not there, or has no attention.
    """
    panels = []
    for name, title in SHOWN.items():
        samples = attention(bundles / name, [SOURCE])
        if not samples:
            raise InputError(f"{bundles / name}: no bundle with attention; `make bundle` trains one")
        panels.append((title, samples[0]))
    for suffix, colours in THEMES.items():
        write_atomically(folder / f"attention{suffix}.svg", attention_svg(panels, colours))


@contextlib.contextmanager
def chromium(binary: str) -> Iterator[Any]:
    """The driver of a browser without a window."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(flag)
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))) as driver:
        yield driver


def photograph(driver: Any, address: str, size: tuple[int, int], file: Path, ready: str = "true") -> None:
    """Writes a file and its dark twin: what a browser shows of the top of a page once the script `ready` is true.

    Raises:
        selenium.common.exceptions.WebDriverException: the browser failed, or the page does not get ready.
    """
    from selenium.webdriver.support.ui import WebDriverWait

    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    for suffix in THEMES:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if suffix else "light"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        driver.get("about:blank")  # another link alone would not load a page again
        driver.get(address)
        WebDriverWait(driver, PATIENCE).until(lambda one: one.execute_script(f"return {ready}"))
        file.with_stem(file.stem + suffix).write_bytes(driver.get_screenshot_as_png())


@contextlib.contextmanager
def playing(bundles: Sequence[Path]) -> Iterator[str]:
    """The address at which `seqlab-play` shows these bundles.

    Raises:
        InputError: it did not start.
    """
    runs = ",".join(quoted(str(one)) for one in bundles)
    server = subprocess.Popen(
        [sys.executable, "-m", "seqlab.play", f"runs=[{runs}]", "port=0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        found = next(filter(None, (re.search(r"http://\S+", line) for line in server.stdout)), None)
        if found is None:
            raise InputError("seqlab-play did not start, as it says above")
        yield found[0]
    finally:
        server.terminate()
        server.wait()


def draw_play(driver: Any, bundles: Path, folder: Path) -> None:
    """Writes `play.png` and its dark twin."""
    state = {"source": PLAYED_SOURCE, "search": "greedy", "step": STEP}
    with playing([bundles / name for name in PLAYED]) as address:
        photograph(driver, f"{address}#{urlencode(state)}", PLAY_SIZE, folder / "play.png", ANSWERED)


def main() -> None:
    """The command line."""
    bundles, page, folder = map(Path, sys.argv[1:4])
    folder.mkdir(parents=True, exist_ok=True)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        draw_attention(bundles, folder)
        if browser is None:
            print(f"no browser ({', '.join(BROWSERS)}): the pictures of pages in {folder} stay as they are")
        else:
            with chromium(browser) as driver:
                photograph(driver, page.resolve().as_uri(), REPORT_SIZE, folder / "report.png")
                draw_play(driver, bundles, folder)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
