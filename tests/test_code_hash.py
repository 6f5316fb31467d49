"""A hash of seqlab's own source."""

from seqlab import paths
from seqlab.code_hash import source_hash


def test_it_follows_names_and_contents_of_the_rooms_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PACKAGE", tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/one.py").write_text("x = 1\n")
    (tmp_path / "errors.py").write_text("y = 1\n")
    every, data = source_hash(lambda room: True), source_hash(lambda room: room == "data")
    assert every != data

    (tmp_path / "errors.py").write_text("y = 2\n")
    assert source_hash(lambda room: room == "data") == data
    assert source_hash(lambda room: True) != every

    (tmp_path / "data/one.py").rename(tmp_path / "data/two.py")
    assert source_hash(lambda room: room == "data") != data
