"""The files of claims' results."""

from dataclasses import replace
from pathlib import Path

import pytest
from support import ROOT

from seqlab.errors import InputError
from seqlab.reproduction.claim import FOLDER, USUAL_PROFILE, read_claim
from seqlab.reproduction.reference_files import read_reference, reference_path


def test_a_profile_that_is_not_the_usual_one_has_a_file_of_its_own():
    claim = read_claim(FOLDER / "S.yaml", USUAL_PROFILE)
    assert reference_path(Path("here"), claim) == Path("here/S.json")
    assert reference_path(Path("here"), replace(claim, profile="full")) == Path("here/S_full.json")
    assert read_reference(reference_path(ROOT / "outputs/reference", claim))["profile"] == USUAL_PROFILE


@pytest.mark.parametrize(("content", "wrong"), [("{}", "expected 'claim' in it"), ("[", "X.json")])
def test_a_file_that_holds_something_else_is_named(tmp_path, content, wrong):
    (tmp_path / "X.json").write_text(content)
    with pytest.raises(InputError, match=wrong):
        read_reference(tmp_path / "X.json")
