"""README's pictures: drawn from models, for light and for dark."""

import xml.etree.ElementTree as ET

import pytest
from support import ROOT

from seqlab.errors import InputError
from seqlab.reporting.readme.pictures import SHOWN, SOURCE, THEMES, attention_svg, draw_attention

SAMPLE = {
    "source_tokens": ["3", "<"],
    "output_tokens": ["<", "3", "<eos>"],
    "attention": {"attention": [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]], "attention head 1": [[1.0, 0.0]] * 3},
}
SVG = "{http://www.w3.org/2000/svg}"


def test_a_cell_is_as_opaque_as_the_weight_and_every_token_stands_beside_it():
    drawn = ET.fromstring(attention_svg([("one <", SAMPLE), ("two", SAMPLE)], THEMES[""]))
    opacities = [float(cell.get("fill-opacity")) for cell in drawn.iter(f"{SVG}rect")]
    assert opacities == [0.06, 1.0, 0.53, 0.53, 1.0, 0.06] * 2
    texts = [text.text for text in drawn.iter(f"{SVG}text")]
    assert texts == ["one <", "3", "<", "<", "3", "end", "two", "3", "<", "<", "3", "end"]


def test_the_committed_pictures_are_there_for_light_and_dark():
    folder = ROOT / "outputs/reference/pictures"
    for suffix, colours in THEMES.items():
        drawn = ET.parse(folder / f"attention{suffix}.svg").getroot()
        assert drawn.get("fill") == colours.text
        texts = [text.text for text in drawn.iter(f"{SVG}text")]
        assert texts.count(SOURCE.split()[1]) == 2 * len(SHOWN)
        for page in ("report", "play"):
            assert (folder / f"{page}{suffix}.png").read_bytes()[:4] == b"\x89PNG"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {path.name for path in folder.iterdir() if path.name in readme}
    assert named == {path.name for path in folder.iterdir()}


def test_pictures_are_drawn_from_bundles(tmp_path):
    draw_attention(ROOT / "outputs/reference/reversal", tmp_path)
    for suffix in THEMES:
        ET.parse(tmp_path / f"attention{suffix}.svg")
    with pytest.raises(InputError, match="`make bundle` trains one"):
        draw_attention(tmp_path, tmp_path)
