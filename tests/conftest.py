"""Shapes and types in signatures are checked while tests run, and real data is found or said to be missing."""

import gc
import os
from pathlib import Path

import hypothesis
import pytest
from fast_hydra import files_read_once
from jaxtyping import install_import_hook
from support import ROOT

SHAPED = [path for path in (ROOT / "src/seqlab").rglob("*.py") if "jaxtyping" in path.read_text(encoding="utf-8")]
# Where no signature has shapes mypy has seen to the types: checking them again costs 20 µs a call.
install_import_hook(
    [".".join(path.relative_to(ROOT / "src").with_suffix("").parts) for path in SHAPED], "support.checked"
)

hypothesis.settings.register_profile("seqlab", deadline=None)  # how long an example takes is the machine's affair
hypothesis.settings.load_profile("seqlab")

# Read when a GPU first multiplies matrices: without it torch refuses to compute the same each time.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def pytest_collection_finish() -> None:
    """Spares each of the garbage collections to come a walk over torch and thousands of tests: half a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _configurations_are_read_once():
    with files_read_once():
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data: $SEQLAB_DATA, by default ../shared/data beside the checkout."""
    folder = Path(os.environ.get("SEQLAB_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set SEQLAB_DATA)")
    return folder


@pytest.fixture(autouse=True)
def _no_real_data_by_chance(request, monkeypatch) -> None:
    """Only a test that asks for real data sees where it is."""
    if "real_data" not in request.fixturenames:
        monkeypatch.delenv("SEQLAB_DATA", raising=False)


@pytest.fixture(autouse=True)
def _gpu_tests_need_a_gpu(request) -> None:
    """Skips tests marked `gpu` where there is none."""
    if request.node.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no GPU here")


@pytest.fixture(autouse=True)
def _few_threads() -> None:
    """Tests are small: more threads than one only wait for each other."""
    import torch

    torch.set_num_threads(1)
