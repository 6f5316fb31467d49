import contextlib
import gzip
import io
import os
import socket
import tracemalloc
from pathlib import Path

import pytest

from seqlab.errors import InputError
from seqlab.text.lines import arriving_lines, decode_lines, read_bytes, read_text_lines, standard_input, unpacked

BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize("bom", [b"", BOM], ids=["plain", "bom"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "unended"])
def test_byte_order_mark_carriage_returns_and_last_line_end_make_no_difference(bom, ending, last):
    text = ending.join(["Va !", "", "né à Zürich 🎉"]) + (ending if last else "")
    assert decode_lines(bom + text.encode(), "f") == ["Va !", "", "né à Zürich 🎉"]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x0b", "\x0c", "\x85", "\x1e", "\r"])
def test_only_lf_and_crlf_end_a_line(sign):
    assert decode_lines(f"one{sign}still one\ntwo\n".encode(), "f") == [f"one{sign}still one", "two"]


def test_a_bom_inside_the_file_is_a_character():
    assert decode_lines(b"a\n" + BOM + b"b\n", "f") == ["a", "\ufeffb"]


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\t\n", BOM, BOM + b"\r\n"])
def test_an_empty_file_is_refused_by_name(data):
    with pytest.raises(InputError, match=r"deck\.txt: the file is empty"):
        decode_lines(data, "deck.txt")


@pytest.mark.parametrize(("data", "line"), [(b"\0", 1), (b"a\nb\nc\0d\n", 3), (b"a\n" * 6 + b"\0", 7)])
def test_binary_data_is_refused_with_its_line(data, line):
    with pytest.raises(InputError, match=rf"^deck\.txt:{line}: binary"):
        decode_lines(data, "deck.txt")


@pytest.mark.parametrize("bom", [b"", BOM], ids=["plain", "bom"])
@pytest.mark.parametrize(
    ("data", "line", "byte"),
    [
        (b"\xe9t\xe9\n", 1, "0xe9"),
        (b"ab\n\xffc\n", 2, "0xff"),
        (b"a\nb\nthree four \xfe\n", 3, "0xfe"),
        ("été\nfin".encode() + b"\xc3", 2, "0xc3"),
    ],
)
def test_what_is_not_utf8_is_refused_with_its_line_and_byte(bom, data, line, byte):
    with pytest.raises(InputError, match=rf"^deck\.txt:{line}: not UTF-8 \(byte {byte}\)"):
        decode_lines(bom + data, "deck.txt")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_other_encodings_are_refused_by_their_byte_order_marks(encoding):
    with pytest.raises(InputError, match=rf"^deck\.txt:1: {encoding.upper()}, .*save the file as UTF-8"):
        decode_lines("Va !\tGo!\n".encode(encoding), "deck.txt")


@pytest.mark.parametrize(("data", "line"), [(b"a\rb\r\xff", 3), (b"a\rb\0", 2), (b"a\rb\n\xff", 2)])
def test_lines_may_all_end_in_carriage_returns(data, line):
    assert decode_lines(b"one\rtwo\r", "f") == ["one", "two"]
    with pytest.raises(InputError, match=rf"^f:{line}: "):
        decode_lines(data, "f")


def test_a_carriage_return_inside_a_line_is_warned_of_with_its_line(caplog):
    assert decode_lines(b"a\r\nb\rc\n", "f") == ["a", "b\rc"]
    assert [message for message in caplog.messages if message.startswith("f:2: a carriage return")] == caplog.messages
    assert len(caplog.messages) == 1


def test_only_blank_lines_are_accepted_with_blank():
    assert decode_lines(b"\n \n", "f", blank=True) == ["", " "]
    with pytest.raises(InputError, match="the file is empty"):
        decode_lines(b"", "f", blank=True)


@pytest.mark.parametrize("kind", ["device", "pipe", "socket"])
def test_a_device_or_a_pipe_is_refused(tmp_path, kind):
    path = tmp_path / "input.txt"
    with socket.socket(socket.AF_UNIX) as opened, contextlib.chdir(tmp_path):
        if kind == "device":
            path.symlink_to("/dev/zero")
        elif kind == "pipe":
            os.mkfifo(path)
        else:
            opened.bind(path.name)
        with pytest.raises(InputError, match=r"input\.txt: a device or a pipe; expected an ordinary file"):
            read_text_lines(path)


def test_gzip_is_unpacked_up_to_its_limit_only(monkeypatch):
    small = gzip.compress(b"one\ntwo\n")
    assert unpacked(small, "f") == b"one\ntwo\n"
    assert unpacked(b"plain", "f") == b"plain"
    monkeypatch.setattr("seqlab.text.lines.ALWAYS_FINE", 1 << 20)
    bomb = gzip.compress(bytes(1 << 20)) * 64  # members one after another are one file
    tracemalloc.start()
    with pytest.raises(
        InputError, match=r"^f: takes more than 6,.* bytes of memory; if that is right, unpack it first"
    ):
        unpacked(bomb, "f")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 << 20


def test_short_lines_count_with_their_overhead_in_memory():
    with pytest.raises(InputError, match=r"^f: takes more than 16,777,216 bytes of memory"):
        unpacked(gzip.compress(b"a\n" * 300_000), "f")
    assert unpacked(gzip.compress(b"a\n" * 200_000), "f") == b"a\n" * 200_000


def test_standard_input_without_end_is_refused(monkeypatch):
    monkeypatch.setattr("seqlab.text.lines.LARGEST", 5 << 20)
    with Path("/dev/zero").open() as endless:
        monkeypatch.setattr("sys.stdin", endless)
        with pytest.raises(InputError, match="standard input: takes more than"):
            standard_input()


def test_bytes_of_a_file_are_read(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\0\xff\r\n")
    assert read_bytes(tmp_path / "a.txt") == b"\0\xff\r\n"


@pytest.mark.parametrize(("name", "reason"), [("missing.txt", "no such file"), ("", "is a directory")])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, reason):
    with pytest.raises(InputError, match=reason) as error:
        read_bytes(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)


@pytest.fixture
def arriving(monkeypatch):
    """The lines of a standard input that holds some bytes."""

    def lines(data):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        return arriving_lines("input")

    return lines


@pytest.mark.parametrize("data", [b"a\n\nb\r\n", BOM + b"a\n\nb", "né\n\u2028\n\n".encode(), b"\n", b"a\rb\nc\n"])
def test_lines_that_arrive_are_those_of_the_whole(arriving, data):
    assert list(arriving(data)) == decode_lines(data, "input", blank=True)


@pytest.mark.parametrize(("data", "line"), [(b"a\n\0\n", 2), (b"a\nb\n\xff\n", 3), (BOM + b"a\nb\nc\nd \xe9", 4)])
def test_a_line_that_arrives_broken_is_named(arriving, data, line):
    lines = arriving(data)
    assert [next(lines) for _ in range(line - 1)] == ["a", "b", "c"][: line - 1]
    with pytest.raises(InputError, match=rf"input:{line}: "):
        next(lines)


def test_a_stream_without_anything_is_refused(arriving):
    with pytest.raises(InputError, match="input: the file is empty"):
        next(arriving(b""))


def test_a_carriage_return_in_a_stream_is_warned_of_once(arriving, caplog):
    assert list(arriving(b"a\nb\rc\nd\re\n")) == ["a", "b\rc", "d\re"]
    assert [record.getMessage().partition(": ")[0] for record in caplog.records] == ["input:2"]
