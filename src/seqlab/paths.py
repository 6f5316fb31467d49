"""Where files are: those that come with seqlab, in a checkout or an installed wheel, and those that a pattern names."""

from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
PHRASEBOOK = "phrasebook"
"""What is typed as a path to name the phrasebook that ships with the package."""


def checkout() -> Path | None:
    """The checkout that the package is used from; None if it is installed from a wheel."""
    root = PACKAGE.parents[1]
    return root if (root / "pyproject.toml").is_file() and PACKAGE.parent.name == "src" else None


def config_dir() -> Path:
    """The folder of Hydra configs: inside the package when installed from a wheel, else in the checkout."""
    packaged = PACKAGE / "conf"
    return packaged if packaged.is_dir() else PACKAGE.parents[1] / "conf"


def phrasebook() -> Path:
    """The small English–French phrasebook that ships with the package."""
    return PACKAGE / "data" / "phrasebook.txt"


def searches_dir() -> Path:
    """The folder of searches: inside the package when installed from a wheel, else in the checkout."""
    packaged = PACKAGE / "sweeps"
    return packaged if packaged.is_dir() else PACKAGE.parents[1] / "sweeps"


def matching(pattern: Path) -> Iterator[Path]:
    """The files that a pattern such as "data/*.csv" names."""
    start = Path(pattern.anchor)
    return (file for file in start.glob(str(pattern.relative_to(start))) if file.is_file())
