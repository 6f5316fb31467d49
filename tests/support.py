"""What all tests share: where the checkout is, and how types are checked while they run."""

from pathlib import Path

from beartype import BeartypeConf, beartype

ROOT = Path(__file__).resolve().parents[1]

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int will do for a float
