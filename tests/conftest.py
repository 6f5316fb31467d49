"""Shapes and types in signatures are checked while tests run, and real data is found or said to be missing."""

import os
from pathlib import Path

import hypothesis
import pytest
from jaxtyping import install_import_hook
from support import ROOT

SHAPED = [path for path in (ROOT / "src/seqlab").rglob("*.py") if "jaxtyping" in path.read_text(encoding="utf-8")]
# Where no signature has shapes mypy has seen to the types: checking them again costs 20 µs a call.
install_import_hook(
    [".".join(path.relative_to(ROOT / "src").with_suffix("").parts) for path in SHAPED], "support.checked"
)

hypothesis.settings.register_profile("seqlab", deadline=None)  # how long an example takes is the machine's affair
hypothesis.settings.load_profile("seqlab")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data: $SEQLAB_DATA, by default ../shared/data beside the checkout."""
    folder = Path(os.environ.get("SEQLAB_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set SEQLAB_DATA)")
    return folder


@pytest.fixture(autouse=True)
def _few_threads() -> None:
    """Tests are small: more threads than one only wait for each other."""
    import torch

    torch.set_num_threads(1)
