"""Every command line of every README file is one that there is; what is quick to run is run."""

import importlib.util
import re
import shlex

import pytest
from support import ROOT

FILES = (  # those with commands
    *("README.md", "conf/README.md", "sweeps/README.md", "tests/README.md", "outputs/reference/README.md"),
    *("src/seqlab/models/README.md", ".github/CONTRIBUTING.md"),
)
# Of the system, or with files of the reader's own, which another test writes.
ELSEWHERE = (
    *("apt-get ", "source ", ".venv/bin/pip ", "python -m pytest test_my_lab.py"),
    "python -m seqlab.train --config-dir=my_conf ",
)


def command_lines(text):
    """The indented lines of a README outside of its code blocks, each once, with continued lines joined."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return list(dict.fromkeys(re.findall(r"^    (\S.*)$", text.replace("\\\n", " "), re.MULTILINE)))


LINES = {line: file for file in FILES for line in command_lines((ROOT / file).read_text(encoding="utf-8"))}
TRAIN = [line for line in LINES if line.startswith("seqlab-train")]
OTHERS = [line for line in LINES if re.match(r"seqlab-(?!train)", line)]
MAKE = [line for line in LINES if line.startswith("make ")]
MODULES = [
    line
    for line in LINES
    if re.match(r"(PYTHONPATH=tests )?(\.venv/bin/)?python -m ", line) and not line.startswith(ELSEWHERE)
]


def words_of(line):
    """The words of a line as they would be typed, with some name for `…`."""
    return shlex.split(line.replace("…", "some"), comments=True)


def test_each_line_is_looked_at():
    piped = [line for line in LINES if line.startswith("printf ")]
    elsewhere = [line for line in LINES if line.startswith(ELSEWHERE)]
    assert LINES.keys() == {*TRAIN, *OTHERS, *MAKE, *MODULES, *piped, *elsewhere}
    assert len(TRAIN) > 15 and len(OTHERS) > 10 and len(MAKE) > 8


@pytest.mark.parametrize("line", MAKE)
def test_make_has_the_target(line):
    targets = re.findall(r"^([a-z][\w -]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert words_of(line)[1] in " ".join(targets).split()


@pytest.mark.parametrize("line", MODULES)
def test_a_module_and_the_files_it_is_given_are_there(line):
    words = words_of(line)
    assert importlib.util.find_spec(words[words.index("-m") + 1])
    assert [word for word in words if word.startswith("tests/") and not (ROOT / word).exists()] == []


def single(word):
    """An override of a multirun with the first of its values; None for what only a search reads."""
    if word.startswith(("hydra.sweeper.", "hydra/sweeper", "+sweeps=")) or re.search(
        r"=(choice|tag|interval|range|int)\(", word
    ):
        return None
    return re.sub(r"=([^,\[]+),.*$", r"=\1", word)


@pytest.mark.parametrize("line", [line for line in TRAIN if "resume=" not in line])
def test_a_training_composes(line, command, tmp_path):
    words = words_of(line)[1:]
    for search in (word.partition("=")[2] for word in words if word.startswith("+sweeps=")):
        assert (ROOT / f"sweeps/{search}.yaml").is_file()
    if "-m" in words:
        words = [one for word in words if word != "-m" and (one := single(word)) is not None]
    command("train", *words, "--cfg", "job").succeeded()


@pytest.mark.parametrize("line", OTHERS)
def test_another_command_composes(line, command):
    name, *words = words_of(line)
    command(name.removeprefix("seqlab-"), *words, "--cfg", "job").succeeded()


QUICK = (
    *("trainer=cpu", "trainer.max_epochs=1", "trainer.max_steps=1", "measure=false", "free_running.every_n_epochs=0"),
    *("model.width=8", "callbacks.outlook=null", "hydra.run.dir=run", "overwrite=true"),
)
"""What makes any training end after a step."""


@pytest.fixture(scope="module")
def readers_files(tmp_path_factory):
    """A folder with the files that the commands name."""
    folder = tmp_path_factory.mktemp("reader")
    texts = [f"the number {word} comes before the next" for word in ("one", "two", "three", "four", "five", "six")]
    pairs = [f"{text}\t{text.upper()}" for text in texts]
    (folder / "FOLDER").mkdir()
    for split in ("train", "val", "test"):
        for language, column in (("de", 0), ("en", 1)):
            lines = [pair.split("\t")[column] for pair in pairs]
            (folder / f"FOLDER/{split}.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    story = "\n\n".join(f"Number {i} comes after {i * 7} and before {i * i}." for i in range(1000))
    for name in ("FOLDER/notes.txt", "STORY.txt", "FILE.txt"):
        (folder / name).write_text(story, encoding="utf-8")
    (folder / "pairs.tsv").write_text("\n".join(pairs) + "\n", encoding="utf-8")
    rows = "\n".join(["question,answer", *(pair.replace("\t", ",") for pair in pairs)]) + "\n"
    for name in ("pairs.csv", "FILE.csv"):
        (folder / name).write_text(rows, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "line", [line for line in TRAIN if "resume=" not in line and "-m" not in words_of(line) and "data=hub" not in line]
)
def test_a_training_trains(line, command, readers_files):
    words = [*words_of(line)[1:], *QUICK]
    if "data=" not in line or "data=reversal" in line or "experiment=dates" in line:
        words.append("data.samples=60")
    command("train", *words, folder=readers_files).succeeded()


def test_the_first_prediction_is_what_readme_shows(command):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    source, words, shown = re.search(
        r"^    printf '(.*?)\\n' \| seqlab-predict ([^\n]*)\n\n```text\n(.*?)```", text, re.MULTILINE | re.DOTALL
    ).groups()
    outcome = command("predict", *shlex.split(words), folder=ROOT, stdin=f"{source}\n")
    assert outcome.succeeded().out.split() == shown.split()
