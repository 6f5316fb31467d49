"""Where the checkout is, for all tests."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
