"""Tests to subclass: what seqlab asks of every architecture. Needs pytest."""

from hydra_pruning_sweeper.installing import install

try:
    import pytest
except ModuleNotFoundError:
    line = f"seqlab.testing needs pytest, which is not installed; type {install('pytest')}"
    raise ModuleNotFoundError(line, name="pytest") from None

# pytest shows what an assert compared in test files alone, and in modules that are registered before their import.
pytest.register_assert_rewrite("seqlab.testing.architecture")

from seqlab.testing.architecture import ArchitectureContract  # noqa: E402

__all__ = ["ArchitectureContract"]
