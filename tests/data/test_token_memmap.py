import json

import numpy as np
import pytest

from seqlab.data.cache import cached
from seqlab.data.token_memmap import ShardWriter, Stream
from seqlab.errors import InputError


def written(folder, parts, size=1000, shard=7):
    with ShardWriter(folder, size, shard) as writer:
        for part in parts:
            writer.add(part)
    return Stream(folder)


PARTS = [[1, 2, 3], [], list(range(4, 9)), [9], list(range(10, 32)), np.arange(32, 37)]


def test_every_slice_is_that_of_a_list(tmp_path):
    stream, ids = written(tmp_path, PARTS), list(range(1, 37))
    assert len(stream) == len(ids)
    for start in range(-40, 40):
        for stop in range(-40, 40):
            assert stream[start:stop].tolist() == ids[start:stop]
    assert stream[:].tolist() == ids


def test_ids_at_any_positions_are_those_of_a_list(tmp_path):
    for shard in (7, 1000):
        stream = written(tmp_path / str(shard), PARTS, shard=shard)
        for positions in ([], [0], [35, 0, 6, 7, 7, 20], list(range(36))):
            assert stream[np.array(positions, dtype=np.int64)].tolist() == [1 + i for i in positions]
        assert [stream.searchsorted(np.uint16(one), "left") for one in (0, 1, 8, 9, 36, 37)] == [0, 0, 7, 8, 35, 36]
        assert [stream.searchsorted(np.uint16(one), "right") for one in (0, 1, 8, 9, 36, 37)] == [0, 1, 8, 9, 36, 36]


def test_a_scan_gives_all_ids_and_they_can_be_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr("seqlab.data.token_memmap.SCANNED", 5)
    stream = written(tmp_path, PARTS)
    assert [len(part) for part in stream.scan()] == [5] * 7 + [1]
    assert np.concatenate(list(stream.scan())).tolist() == stream[:].tolist() == list(range(1, 37))


def test_files_hold_shard_ids_each_and_the_last_the_rest(tmp_path):
    written(tmp_path, PARTS)
    sizes = {path.name: path.stat().st_size // 2 for path in tmp_path.glob("*.bin")}
    assert sizes == {"00000.bin": 7, "00001.bin": 7, "00002.bin": 7, "00003.bin": 7, "00004.bin": 7, "00005.bin": 1}


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 14])
def test_a_stream_may_end_at_a_file_end_or_be_empty(tmp_path, count):
    assert written(tmp_path, [list(range(count))])[:].tolist() == list(range(count))
    assert len(list(tmp_path.glob("*.bin"))) == -(-count // 7)


@pytest.mark.parametrize(("size", "width"), [(2, 1), (256, 1), (257, 2), (65_536, 2), (65_537, 4)])
def test_ids_take_the_smallest_type_that_holds_them(tmp_path, size, width):
    stream = written(tmp_path, [[0, size - 1]], size)
    assert stream[:].tolist() == [0, size - 1]
    assert (tmp_path / "00000.bin").stat().st_size == 2 * width


def test_an_id_too_large_is_refused(tmp_path):
    with pytest.raises(OverflowError):
        written(tmp_path, [[256]], size=256)


def test_the_first_ids_of_a_stream_are_a_stream(tmp_path):
    stream = written(tmp_path, PARTS)
    part = stream.first(17)
    assert (len(part), len(stream), len(stream.first(99))) == (17, 36, 36)
    assert part[:].tolist() == part[-40:40].tolist() == list(range(1, 18))
    assert part[12:19].tolist() == list(range(13, 18))


def test_what_was_read_cannot_be_written_to_the_files(tmp_path):
    stream = written(tmp_path, PARTS)
    stream[0:5][:] = 0
    assert stream[0:5].tolist() == [1, 2, 3, 4, 5]


def test_a_writer_that_fails_leaves_no_index(tmp_path):
    def build(folder):
        with ShardWriter(folder / "ids", 10, 3) as writer:
            writer.add([1, 2, 3, 4])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path)
    assert not (tmp_path / "ids/index.json").exists()
    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path / "cache", build)
    assert not (tmp_path / "cache").exists()


def test_a_truncated_file_is_named(tmp_path):
    written(tmp_path, PARTS)
    assert json.loads((tmp_path / "index.json").read_text())["length"] == 36
    (tmp_path / "00003.bin").write_bytes(b"\0" * 13)
    with pytest.raises(InputError, match=r"00003\.bin: its length differs from index\.json"):
        Stream(tmp_path)


def test_a_slice_has_no_step(tmp_path):
    with pytest.raises(ValueError, match="step of a slice must be 1, but is 2"):
        written(tmp_path, PARTS)[::2]
