"""A search whose data are not there does not start."""

import pytest
from omegaconf import OmegaConf

from seqlab.config.settings import check_files
from seqlab.errors import InputError


@pytest.mark.parametrize("name", ["path", "validation_path"])
def test_data_that_are_missing_are_named(tmp_path, name):
    data = {"_target_": "seqlab.data.parallel.Parallel", "path": str(tmp_path), name: "${where}/nothing"}
    with pytest.raises(InputError, match=rf"^data.{name}: /nowhere/nothing: no such file or folder"):
        check_files(OmegaConf.create({"data": data, "where": "/nowhere"}))


@pytest.mark.parametrize(
    ("target", "path"),
    [("seqlab.data.anki.Anki", "phrasebook"), ("seqlab.data.anki.Anki", None), ("my_lab.Pairs", "a table's name")],
)
def test_what_names_no_file_is_not_looked_for(target, path):
    check_files(OmegaConf.create({"data": {"_target_": target, "path": path}}))
    check_files(OmegaConf.create({"data": {"_target_": "seqlab.data.reversal.Reversal"}}))
