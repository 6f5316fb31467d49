import gzip
import random
import re
import struct
import unicodedata
import zipfile
from io import BytesIO

import pytest

from seqlab.errors import InputError
from seqlab.text.pairs import Pair, read_pairs

BOM = b"\xef\xbb\xbf"
DECK = "Go.\tVa !\tCC-BY 2.0 #1\nHi.\tSalut !\tCC-BY 2.0 #2\nRun!\tCours\u202f!\tCC-BY 2.0 #3\n"
PAIRS = [Pair("Go.", "Va !"), Pair("Hi.", "Salut !"), Pair("Run!", "Cours\u202f!")]


def archive(members: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def with_claimed_sizes(data: bytes, packed: int | None = None, unpacked: int | None = None) -> bytes:
    """A zip of one member whose directory and local header claim other sizes than the true ones."""
    changed = bytearray(data)
    central = changed.index(b"PK\x01\x02")
    for offset, value in ((20, packed), (24, unpacked)):
        if value is not None:
            struct.pack_into("<I", changed, central + offset, value)
            struct.pack_into("<I", changed, offset - 2, value)
    return bytes(changed)


def refused(path, pattern: str) -> None:
    """Reading fails with one line that begins with the file's name."""
    with pytest.raises(InputError, match=pattern) as error:
        read_pairs(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes, name: str = "deck.txt"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize("name", ["deck.txt", "deck.tsv", "DECK.TXT"])
@pytest.mark.parametrize("columns", [2, 3])
@pytest.mark.parametrize("bom", [b"", BOM], ids=["plain", "bom"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_pairs_of_text_files(write, name, columns, bom, ending):
    lines = ["\t".join(line.split("\t")[:columns]) + ending for line in DECK.splitlines()]
    assert read_pairs(write(bom + "".join(lines).encode(), name)) == PAIRS


def test_text_is_normalised_to_nfc_and_stripped(write):
    decomposed = unicodedata.normalize("NFD", "être né")
    assert decomposed != "être né"
    assert read_pairs(write(f"  to be born \t {decomposed}\n")) == [Pair("to be born", "être né")]


def test_a_line_separator_within_a_sentence_stays(write):
    assert read_pairs(write("a\u2028b\tc\nd\te\n")) == [Pair("a\u2028b", "c"), Pair("d", "e")]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("member", ["fra.txt", "fra-eng/fra.tsv", "FRA.TXT"])
def test_the_member_of_a_published_zip_that_holds_pairs_is_read(write, compression, member):
    litter = {"_about.txt": "About these files. " * 99, "__MACOSX/._fra.txt": "\0\5" * 999, ".hidden.txt": "x" * 999}
    packed = archive({**litter, "readme.md": "y" * 999, member: DECK}, compression)
    assert read_pairs(write(packed, "fra-eng.zip")) == PAIRS


def test_a_zip_is_recognised_by_its_content_too(write):
    assert read_pairs(write(archive({"fra.txt": DECK}), "downloaded")) == PAIRS


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("no tab here", "no tab"),
        ("", "no tab"),
        ("a\tb\tc\td", "4 columns"),
        ("a\tb\tc\td\te", "5 columns"),
        ("\tb", "source is empty"),
        ("a\t", "target is empty"),
        (" \u00a0\tb\tc", "source is empty"),
        ("a\t  \tc", "target is empty"),
        ("a\tb\0", "binary"),
    ],
)
def test_a_bad_line_is_named_with_its_number(write, line, reason):
    content = f"Go.\tVa !\nHi.\tSalut !\n{line}\nRun!\tCours !\n"
    path = write(content)
    refused(path, rf"^{re.escape(str(path))}:3: .*{reason}")


def test_a_bad_line_in_a_zip_is_named_with_archive_member_and_number(write):
    path = write(archive({"fra.txt": DECK + "no tab\n"}), "fra.zip")
    refused(path, rf"^{re.escape(str(path))}!fra\.txt:4: no tab")


def test_a_line_that_is_not_utf8_is_named(write):
    refused(write(DECK.encode() + "déjà\tvu\n".encode("latin-1")), r"deck\.txt:4: not UTF-8 \(byte 0xe9\)")


@pytest.mark.parametrize("end", ["\n", " \r\n\t\n", "\n\n\n"])
def test_blank_lines_at_the_end_are_ignored(write, end):
    assert read_pairs(write(DECK + end)) == PAIRS


@pytest.mark.parametrize("name", ["deck.txt.gz", "deck.txt"])
def test_a_deck_may_be_compressed(write, name):
    assert read_pairs(write(gzip.compress(DECK.encode()), name)) == PAIRS
    assert read_pairs(write(archive({"deck.txt": gzip.compress(DECK.encode())}), "deck.zip")) == PAIRS


def test_a_zip_with_two_decks_is_refused(write):
    path = write(archive({"fra.txt": DECK, "sub/deu.tsv": DECK}), "two.zip")
    refused(path, r"2 files of sentence pairs in the archive \(fra\.txt, sub/deu\.tsv\)")


def test_old_line_ends_and_concatenated_files_are_read(write):
    assert read_pairs(write(DECK.replace("\n", "\r"))) == PAIRS
    assert read_pairs(write((BOM + DECK.encode()) * 2)) == PAIRS * 2


def test_a_line_of_tabs_is_counted_but_not_split(write):
    refused(write("a" + "\t" * 1_000_000), "txt:1: 1000001 columns")


def test_an_empty_file_is_refused(write):
    refused(write(""), "empty")
    refused(write(archive({"fra.txt": ""}), "fra.zip"), "empty")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    refused(tmp_path / "missing.txt", "no such file")
    refused(tmp_path, "is a folder")


@pytest.mark.parametrize("content", [b"PK\x03\x04 but no archive", b"just text\twith a tab\n", b""])
def test_a_broken_zip_is_refused(write, content):
    refused(write(content, "fra.zip"), "not a readable zip")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_zip_is_refused(write, share):
    packed = archive({"fra.txt": DECK * 99})
    refused(write(packed[: int(share * len(packed))], "fra.zip"), "not a readable zip")


@pytest.mark.parametrize("names", [[], ["_about.txt"], ["__MACOSX/._fra.txt"], ["fra.csv", "readme.md"]])
def test_a_zip_without_pairs_is_refused(write, names):
    refused(write(archive(dict.fromkeys(names, DECK)), "fra.zip"), r"no \.txt or \.tsv")


def test_an_encrypted_zip_is_refused(write):
    packed = bytearray(archive({"fra.txt": DECK}))
    packed[6] |= 1  # the flags of the local header …
    packed[packed.index(b"PK\x01\x02") + 8] |= 1  # … and of the directory
    refused(write(bytes(packed), "fra.zip"), "not a readable zip .*(encrypted|password)")


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """50 MB of nothing but the letter a, packed to about 50 kB."""
    return archive({"fra.txt": b"a" * 50_000_000})


def test_a_zip_bomb_is_refused_unopened(write, bomb, monkeypatch):
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("the bomb was opened"))
    refused(write(bomb, "fra.zip"), "would unpack from .* to 50,000,000 bytes")


@pytest.mark.parametrize(("packed", "unpacked"), [(None, 1_000), (None, 0), (40_000_000, None), (40_000_000, 1_000)])
def test_a_zip_bomb_that_lies_about_its_sizes_is_refused_and_unpacks_no_more_than_it_claims(
    write, bomb, monkeypatch, packed, unpacked
):
    sizes: list[int] = []
    read = zipfile.ZipExtFile.read

    def counting(self, n=-1):
        sizes.append(-1)  # in case reading fails half-way
        data = read(self, n)
        sizes[-1] = len(data)
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counting)
    refused(write(with_claimed_sizes(bomb, packed, unpacked), "fra.zip"), "fra.zip")
    assert sum(sizes) <= 1_000


@pytest.mark.parametrize("unpacked", [7, len(DECK.encode()) - 1])
def test_a_member_larger_than_it_claims_is_refused(write, unpacked):
    refused(write(with_claimed_sizes(archive({"fra.txt": DECK}), unpacked=unpacked), "fra.zip"), "not a readable zip")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_zip_is_read_or_refused_but_never_a_traceback(write, compression):
    generator = random.Random(7)
    whole = archive({"fra.txt": DECK * 3, "_about.txt": "about"}, compression)
    escaped = set()
    for _ in range(199):
        damaged = bytearray(whole)
        damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        try:
            read_pairs(write(bytes(damaged), "fra.zip"))
        except InputError:
            pass
        except Exception as error:
            escaped.add(f"{type(error).__name__}: {error}")
    assert not escaped
