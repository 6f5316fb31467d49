"""What is typed, in the words that Hydra takes (what it refuses, and with what words: `cli/test_errors.py`)."""

from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from seqlab.typed_arguments import verbatim


@settings(max_examples=300)
@given(st.one_of(st.text(alphabet="ab'\"\\${}=,()[] :\n\té~?*#%-|.0", max_size=12), st.text(max_size=8)))
@example("null")
@example("$x$, ${y} and \\${z}")
@example("'quoted' \\")
def test_a_prompt_is_taken_as_it_stands(prompt):
    arguments = verbatim(["run=a", f"prompt={prompt}"], "prompt")
    override = OverridesParser.create().parse_overrides(arguments)[1]
    assert OmegaConf.create({"prompt": override.value()}).prompt == prompt
