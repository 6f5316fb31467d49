"""Shapes and types in signatures are checked while tests run, and real data is found or said to be missing."""

import os
from pathlib import Path

import hypothesis
import pytest
from jaxtyping import install_import_hook
from support import ROOT

install_import_hook("seqlab", "support.checked")

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
