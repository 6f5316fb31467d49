"""Files of rows: every format is read, and its broken twin is refused in one line that names file and line."""

import bz2
import gzip
import json
import lzma
import re
import sys

import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from seqlab.errors import InputError
from seqlab.extras import install_extra
from seqlab.text.column_choice import ColumnChoice
from seqlab.text.pairs import Pair, pairs_of
from seqlab.text.row_files import read_rows

PAIRS = [Pair("Go.", "Va !"), Pair("Hi, Tom.", 'Salut "Tom" !'), Pair("Run!", "Cours\u202f!")]
GUESSED = ColumnChoice()
COMPRESS = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "zst": zstandard.ZstdCompressor().compress,
}


def quoted(text):
    return '"' + text.replace('"', '""') + '"'


def parquet(columns):
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(columns), sink, row_group_size=2)
    return sink.getvalue().to_pybytes()


SIDES = {"question": [pair.source for pair in PAIRS], "answer": [pair.target for pair in PAIRS]}
NESTED = {"id": [1, 2, 3], "translation": [{"fr": pair.target, "en": pair.source} for pair in PAIRS]}
FILES = {
    "deck.tsv": "".join(f"{pair.source}\t{pair.target}\n" for pair in PAIRS),
    "deck.csv": "question,answer\n" + "".join(f"{quoted(p.source)},{quoted(p.target)}\n" for p in PAIRS),
    "excel.csv": "\ufeffquestion;answer\r\n" + "".join(f"{quoted(p.source)};{quoted(p.target)}\r\n" for p in PAIRS),
    "deck.jsonl": "".join(json.dumps({"answer": p.target, "question": p.source}) + "\n" for p in PAIRS),
    "deck.parquet": parquet(SIDES),
}
CONTENTS = {name: text.encode() if isinstance(text, str) else text for name, text in FILES.items()}


@pytest.fixture
def read(tmp_path):
    """Writes a file and reads its pairs."""

    def read(name, content, columns=GUESSED):
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        pairs, line = pairs_of(read_rows(tmp_path / name), columns)
        return list(pairs), line

    return read


@pytest.fixture
def refused(read, tmp_path):
    """Reading fails with one line that begins with the file's name."""

    def refused(name, content, pattern, columns=GUESSED):
        with pytest.raises(InputError, match=pattern) as error:
            read(name, content, columns)
        assert str(error.value).startswith(str(tmp_path / name))
        assert "\n" not in str(error.value)

    return refused


@pytest.mark.parametrize("name", CONTENTS)
def test_each_format_is_read(read, name):
    assert read(name, CONTENTS[name])[0] == PAIRS


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("name", ["deck.tsv", "deck.csv", "deck.jsonl", "deck.parquet"])
def test_each_format_is_read_compressed(read, name, compression):
    assert read(f"{name}.{compression}", COMPRESS[compression](CONTENTS[name]))[0] == PAIRS


@pytest.mark.parametrize("compression", COMPRESS)
def test_compressed_parts_one_after_another_are_one_file(read, compression):
    parts = [COMPRESS[compression](f"{pair.source}\t{pair.target}\n".encode()) for pair in PAIRS]
    assert read("deck.tsv", b"".join(parts))[0] == PAIRS, "it is recognised by its bytes, not its name"


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("share", [0.3, 0.99])
def test_a_compressed_file_that_ends_early_is_refused(refused, compression, share):
    packed = COMPRESS[compression](b"".join(b"%d\t%d\n" % (i, i * i) for i in range(9999)))
    refused(f"deck.tsv.{compression}", packed[: int(share * len(packed))], r"not a readable \w+ file \(.+\)$")


@pytest.mark.parametrize("compression", COMPRESS)
def test_a_compressed_file_that_unpacks_to_too_much_is_refused(refused, compression):
    refused(f"deck.tsv.{compression}", COMPRESS[compression](bytes(50 << 20)), "takes more than .* unpack it first")


def test_damaged_zstd_is_refused(refused):
    packed = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(CONTENTS["deck.tsv"]))
    packed[-1] ^= 1
    refused("deck.tsv.zst", bytes(packed), "not a readable zstd file")


BROKEN = {
    "tsv, a column more": ("a.tsv", "a\tb\na\tb\tc\n", r":2: 3 columns, but line 1 has 2"),
    "tsv, a column less": ("a.tsv", "a\tb\tc\na\tb\n", r":2: 2 columns, but line 1 has 3"),
    "tsv, no tab": ("a.tsv", "a\tb\nab\n", r":2: no tab in the line"),
    "tsv, not UTF-8": ("a.tsv", b"a\tb\n\xe9\tc\n", r":2: not UTF-8"),
    "tsv, empty": ("a.tsv", b"", r": the file is empty"),
    "tsv, nothing but line ends": ("a.tsv", b"\n\n", r": the file is empty"),
    "tsv, empty source": ("a.tsv", "a\tb\n\tb\n", r":2: the source is empty"),
    "tsv, empty target": ("a.tsv", "a\tb\na\t \n", r":2: the target is empty"),
    "tsv, names alone": ("a.tsv", "source\ttarget\n", r": no rows; expected sentence pairs"),
    "tsv, many columns": ("a.tsv", "a\tb\tc\td\n", r":1: which of 4 columns .* first line is 1 \('a'\), 2 \('b'\)"),
    "csv, a column more": ("a.csv", "source,target\na,b,c\n", r":2: 3 columns, but line 1 has 2"),
    "csv, a column less": ("a.csv", "source,x,target\na,b,c\nd,e\n", r":3: 2 columns, but line 1 has 3"),
    "csv, one column": ("a.csv", "source\na\n", r":1: a single column; expected a source and a target"),
    "csv, quotes that do not end": ("a.csv", 'source,target\na,b\nc,"d\ne,f\n', r":3: not CSV \(unexpected end"),
    "csv, text after quotes": ("a.csv", 'source,target\n"a"b,c\n', r":2: not CSV \(',' expected after '\"'"),
    "csv, not UTF-8": ("a.csv", b"source,target\na,\xe9\n", r":2: not UTF-8"),
    "csv, empty": ("a.csv", b"", r": the file is empty"),
    "csv, empty target": ("a.csv", 'source,target\n"a\nb",c\nd,\n', r":4: the target is empty"),
    "jsonl, not JSON": ("a.jsonl", '{"source": "a", "target": "b"}\n{"source": "a"', r":2: not JSON \("),
    "jsonl, no object": ("a.jsonl", '"a"\n', r":1: expected a JSON dict, but found a str"),
    "jsonl, one array": ("a.json", '[{"source": "a"}]\n', r":1: .*one JSON object per line, not one array"),
    "jsonl, a column missing": (
        "a.jsonl",
        '{"source": "a", "target": "b"}\n{"source": "a", "goal": "b"}\n',
        r":2: no column 'target'; there are 'source', 'goal'",
    ),
    "jsonl, a blank line": ("a.jsonl", '{"source": "a", "target": "b"}\n\n{}', r":2: not JSON"),
    "jsonl, null": ("a.jsonl", '{"source": "a", "target": null}\n', r":1: the target is empty"),
    "jsonl, a list": ("a.jsonl", '{"source": "a", "target": ["b"]}\n', r":1: \"\['b'\]\" is a list; expected text"),
    "jsonl, not UTF-8": ("a.jsonl", b'{"source": "a", "target": "b"}\n{"source": "\xe9"}\n', r":2: not UTF-8"),
    "jsonl, empty": ("a.jsonl", b"", r": the file is empty"),
    "jsonl, unknown names": ("a.jsonl", '{"x": "a", "y": "b", "z": "c"}\n', r"which column .*'x', 'y', 'z'"),
    "parquet, none": ("a.parquet", "a\tb\n", r": not a readable Parquet file"),
    "parquet, empty": ("a.parquet", b"", r": not a readable Parquet file"),
    "parquet, cut off": ("a.parquet", CONTENTS["deck.parquet"][:-9], r": not a readable Parquet file"),
    "parquet, null": (
        "a.parquet",
        parquet({"source": ["a", "b", "c"], "target": ["d", "e", None]}),
        r": row 3: the target is empty",
    ),
    "parquet, no rows": ("a.parquet", parquet({"source": pyarrow.array([], "string"), "target": []}), r": no rows"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_refused_in_one_line(refused, case):
    refused(*BROKEN[case])


@pytest.mark.parametrize("name", ["deck.csv", "deck.jsonl", "deck.parquet"])
def test_a_column_that_is_missing_is_named_beside_those_there_are(refused, name):
    pattern = r"no column 'reply'; there are ('question', 'answer'|'answer', 'question')"
    refused(name, CONTENTS[name], pattern, ColumnChoice("question", ("reply",)))
    refused("deck.tsv", CONTENTS["deck.tsv"], r"tsv:1: no column 3; there are 2", ColumnChoice(1, (3,)))


def test_columns_are_chosen_by_name_or_number(read):
    text = "id,en,fr\n1,Go.,Va !\n2,Hi.,Salut !\n"
    assert read("a.csv", text, ColumnChoice("fr", ("en",))) == ([Pair("Va !", "Go."), Pair("Salut !", "Hi.")], None)
    rest = text.partition("\n")[2]
    assert read("a.csv", rest, ColumnChoice(3, (2,))) == ([Pair("Va !", "Go."), Pair("Salut !", "Hi.")], None)
    assert read("deck.parquet", CONTENTS["deck.parquet"], ColumnChoice(2, (1,)))[0][0] == Pair("Va !", "Go.")


def test_further_targets_are_alternatives_of_the_first(read):
    text = "q\ta\tb\tc\nGo.\tVa !\tMarche.\t\nHi.\tSalut.\t\t\n"
    pairs, _ = read("a.tsv", text, ColumnChoice("q", ("a", "b", "c")))
    assert pairs == [Pair("Go.", "Va !", ("Marche.",)), Pair("Hi.", "Salut.")]


def test_fields_of_objects_have_names_with_dots(read):
    lines = "".join(json.dumps({"translation": one}) + "\n" for one in NESTED["translation"])
    chosen = ColumnChoice("translation.en", ("translation.fr",))
    assert read("a.jsonl", lines, chosen)[0] == read("a.parquet", parquet(NESTED), chosen)[0] == PAIRS
    backward, line = read("a.parquet", parquet(NESTED))
    assert backward[0] == Pair("Va !", "Go.")
    assert line.startswith("columns: source = 'translation.fr', target = 'translation.en' (guessed;")
    assert line.endswith("not read: 'id'")


def test_numbers_and_truth_values_are_labels(read):
    lines = '{"text": "good", "label": 1}\n{"text": "bad", "label": false}\n'
    assert read("a.jsonl", lines)[0] == [Pair("good", "1"), Pair("bad", "false")]


@pytest.mark.parametrize(
    ("name", "text", "first", "line"),
    [
        ("a.tsv", "Go.\tVa !\n", Pair("Go.", "Va !"), "columns: source = 1 ('Go.'), target = 2 ('Va !') (guessed, no"),
        (
            "a.csv",
            "Answer, Question\nb,a\n",
            Pair("a", "b"),
            "columns: source = 'Question', target = 'Answer' (guessed",
        ),
        ("a.tsv", "Eng\tHin\tOth\nDuck!\tझुको!\tCC\n", Pair("Duck!", "झुको!"), "columns: source = 'Eng', target = 'Hin'"),
        ("a.jsonl", '{"x": "a", "y": "b"}\n', Pair("a", "b"), "columns: source = 'x', target = 'y' (guessed;"),
        ("a.tsv", "Go.\tVa !\tCC-BY 2.0\n", Pair("Go.", "Va !"), "columns: source = 1 ('Go.'), target = 2"),
        (
            "tatoeba.tsv",
            "1276\teng\tGo on.\t3091\tfra\tContinue.\n1277\teng\tI do.\t3092\tfra\tSi.\n",
            Pair("Go on.", "Continue."),
            "columns: source = 3 ('Go on.'), target = 6 ('Continue.') (guessed, as Tatoeba exports pairs)",
        ),
        (
            "tatoeba.csv",
            '1276\t"Go on," he said.\t3091\tContinue.\n',
            Pair('"Go on," he said.', "Continue."),
            "columns: source = 2 (",
        ),
        (
            "notes.txt",
            "#separator:tab\n#html:false\n#columns:Deck\tBack\tFront\n#deck column:1\nFrench\tVa !\tGo.\n",
            Pair("Go.", "Va !"),
            "columns: source = 'Front', target = 'Back' (guessed",
        ),
    ],
)
def test_columns_are_guessed_and_said(read, name, text, first, line):
    pairs, said = read(name, text)
    assert pairs[0] == first
    assert said.startswith(line)


@pytest.mark.parametrize(("module", "name"), [("zstandard", "deck.tsv.zst"), ("pyarrow", "deck.parquet")])
def test_a_library_that_is_missing_is_named_with_its_extra(read, monkeypatch, module, name):
    monkeypatch.setitem(sys.modules, module, None)
    content = CONTENTS[name] if name in CONTENTS else COMPRESS["zst"](CONTENTS["deck.tsv"])
    line = f"reading {name} needs {module}, which is not installed; type {install_extra('tables')}"
    with pytest.raises(InputError, match=f"^{re.escape(line)}$"):
        read(name, content)
