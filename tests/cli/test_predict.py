"""`seqlab-predict`: files, folders and standard input in, a line for each line out."""

import contextlib
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from processes import unwrapped

import seqlab
from seqlab.decoding import Greedy
from seqlab.inference import prediction
from seqlab.inference.prediction_formats import Line, prediction_format
from seqlab.inference.predictor import Output, Predictor
from seqlab.models.fixed_vector import FixedVector
from seqlab.text.tokenizers import CharacterTokenizer

SOURCES = ["5 4 3 2", "1", "2 3", "4 4 4", "1 2 3 4", "5", "3 1", "2 2 2 2", "1 5"]


@pytest.fixture
def predict(command, trained, tmp_path):
    """Predicts with the shared run for lines of a file; gives the lines put out."""

    def call(lines, *arguments):
        (tmp_path / "input.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        outcome = command("predict", f"run={trained}", "input=input.txt", *arguments)
        return outcome.succeeded().out.splitlines()

    return call


@pytest.fixture(scope="module")
def expected(trained):
    """What the model says of each source, each predicted by itself."""
    model = seqlab.load(trained / "bundle")
    return {source: model.predict([source])[0] for source in SOURCES}


@pytest.mark.parametrize("batch_size", [1, 2, 256])
def test_predictions_keep_the_order_of_the_input(predict, expected, batch_size):
    rows = [line.split("\t") for line in predict(SOURCES, f"batch_size={batch_size}")]
    assert [(source, prediction) for source, prediction, _ in rows] == list(expected.items())
    assert len(set(expected.values())) > 1


def test_scores_are_logarithms_of_probabilities(predict):
    scores = [float(line.split("\t")[2]) for line in predict(SOURCES)]
    assert all(score <= 0 for score in scores)
    assert len(set(scores)) > 1


def test_jsonl_says_the_same_as_tsv(predict):
    tsv = [line.split("\t") for line in predict(SOURCES)]
    objects = [json.loads(line) for line in predict(SOURCES, "format=jsonl")]
    assert [[one["input"], one["prediction"], f"{one['score']:.4f}"] for one in objects] == tsv
    assert all(set(one) == {"input", "prediction", "score"} for one in objects)


def test_a_target_is_compared(predict, expected):
    source, said = next((s, p) for s, p in expected.items() if set(p.split()) <= set("12345") and len(p) in range(1, 8))
    other = "1" if said != "1" else "2"
    lines = [f"{source}\t{said}", f"{source}\t{other}", source]
    assert [line.split("\t")[3:] for line in predict(lines)] == [["true"], ["false"], []]
    matches = [json.loads(line).get("match") for line in predict(lines, "format=jsonl")]
    assert matches == [True, False, None]


def test_the_output_may_be_a_file(predict, tmp_path):
    shown = predict(SOURCES)
    assert predict(SOURCES, "output=there/out.tsv") == []
    assert (tmp_path / "there/out.tsv").read_text(encoding="utf-8").splitlines() == shown


def test_a_file_that_is_there_is_replaced(predict, tmp_path):
    (tmp_path / "out.tsv").write_text("old\n" * 99, encoding="utf-8")
    predict(SOURCES, "output=out.tsv")
    assert len((tmp_path / "out.tsv").read_text(encoding="utf-8").splitlines()) == len(SOURCES)


def test_an_output_that_is_no_file_is_written_into(predict, tmp_path):
    device = tmp_path / "device"
    device.symlink_to("/dev/null")  # never the device itself: as root a mistake would replace it
    predict(SOURCES, "output=device")
    assert device.is_char_device()


def test_a_folder_is_read_file_by_file_but_for_hidden_ones(command, trained, expected, tmp_path):
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for name, lines in {
        "b.txt": SOURCES[3:5],
        "a.txt": SOURCES[:3],
        "sub/c.txt": SOURCES[5:],
        ".secret": ["not numbers"],
        ".hidden/d.txt": ["not numbers"],
    }.items():
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
    calls = ((), ("format=jsonl",), ("format=text",), ("stream=true",))
    tsv, jsonl, text, stream = (
        command("predict", f"run={trained}", "input=folder", *call).succeeded().out for call in calls
    )
    files = ["a.txt"] * 3 + ["b.txt"] * 2 + ["sub/c.txt"] * 4
    rows = [[file, *pair] for file, pair in zip(files, expected.items(), strict=True)]
    assert [line.split("\t")[:3] for line in tsv.splitlines()] == rows
    assert [list(json.loads(line).values())[:3] for line in jsonl.splitlines()] == rows
    assert [next(iter(json.loads(line))) for line in jsonl.splitlines()] == ["file"] * 9
    assert text.splitlines() == list(expected.values())
    assert stream == tsv


def test_standard_input_is_read(apart, trained, expected):
    outcome = apart("predict", f"run={trained}", "input=-", stdin="\n".join(SOURCES)).succeeded()
    assert [line.split("\t")[:2] for line in outcome.out.splitlines()] == [list(pair) for pair in expected.items()]
    assert outcome.err == ""


@pytest.mark.parametrize("text", ["2 3\r\n1\r\n", "\ufeff2 3\n1", "2,3\n1\n", "2 3\r1\r"])
def test_line_ends_byte_order_marks_and_commas_do_not_matter(command, trained, expected, tmp_path, text):
    (tmp_path / "input.txt").write_bytes(text.encode())
    out = command("predict", f"run={trained}", "input=input.txt").succeeded().out
    assert [line.split("\t")[1] for line in out.splitlines()] == [expected["2 3"], expected["1"]]


def test_a_blank_line_keeps_its_place(predict, command, trained, expected):
    rows = [line.split("\t") for line in predict(["2 3", "", " \t ", "1"], "decoding=beam", "decoding.n_best=2")]
    assert [row[0] for row in rows] == ["2 3", "2 3", "", "", "1", "1"]
    assert rows[2] == rows[3] == ["", "", "0.0000", "1"]
    assert [line.split("\t")[1] for line in predict([""])] == [""]
    assert seqlab.load(trained).predict(["", "1", " \n"]) == ["", expected["1"], ""]
    refusing = command("predict", f"run={trained}", "input=-", "blank=refuse", stdin="1\n\n2")
    refusing.stopped(2, "standard input:2: the line is blank")


def test_text_is_the_outputs_alone_and_keeps_every_line_in_its_place(command, trained, expected):
    outcome = command("predict", f"run={trained}", "input=-", "format=text", stdin="2 3\t3 2\n\n1 9\n \n1")
    known = seqlab.load(trained).predict(["2 3", "1"])
    lines = outcome.succeeded().out.split("\n")
    assert (lines[0], lines[1], lines[3:]) == (known[0], "", ["", known[1], ""])
    assert len(lines) == 6 and "\t" not in outcome.out


def test_text_has_no_room_for_several_outputs(command, trained):
    several = ("decoding=beam", "decoding.n_best=2", "format=text")
    command("predict", f"run={trained}", "input=-", *several, stdin="1").stopped(2, "decoding.n_best=2: format=text")


def test_a_text_of_several_lines_is_one_line_of_text():
    write = prediction_format("text", SimpleNamespace(search=Greedy(max_length=2)))
    assert write(Line("f:1", "a", None), [Output("one\r\ntwo\n\nthree", 0.0)]) == "one two three"


@pytest.mark.parametrize("form", ["tsv", "jsonl", "text"])
def test_a_stream_is_answered_as_a_file_is(command, trained, form):
    text = "\ufeff2 3\t3 2\r\n\n1\t1\n5 4 3 2\t1\n"
    arguments = ("predict", f"run={trained}", "input=-", f"format={form}")
    streamed = command(*arguments, "stream=true", stdin=text).succeeded()
    assert streamed == command(*arguments, stdin=text).succeeded()
    assert streamed.out.count("\n") == 4


def test_a_stream_with_a_broken_line_is_answered_up_to_it(command, trained, expected):
    outcome = command("predict", f"run={trained}", "input=-", "format=text", "stream=true", stdin="1\n2 3\n\0\n1\n")
    outcome.stopped(2, "standard input:3: binary data; expected UTF-8 text")
    assert outcome.out.splitlines() == [expected["1"], expected["2 3"]]


def test_a_stream_warns_once_of_each_kind(command, trained):
    text = "1\n9\n8\n1\t1\n2\n1\t1\n"
    outcome = command("predict", f"run={trained}", "input=-", "stream=true", stdin=text).succeeded()
    first, second = unwrapped(outcome.err).splitlines()
    assert first.startswith("warning: standard input:2: symbols that the model does not know, and that it reads as")
    assert first.endswith("<unk>: '9'; further such lines are not named")
    assert second.startswith("warning: standard input:4: lines with and without a tab: the text after it is read as")


def test_a_stream_goes_to_standard_output(command, trained):
    stopped = command("predict", f"run={trained}", "input=-", "stream=true", "output=out.tsv", stdin="1")
    stopped.stopped(2, "output=out.tsv: stream=true writes each line to standard output at once")
    command("predict", f"run={trained}", "input=-", "stream=true").stopped(2, "standard input: the file is empty")
    command("predict", f"run={trained}", "input=-", "stream=1").stopped(2, "stream must be true or false, but is 1")


# Whoever runs the tests may have had Ctrl-C ignored, which a new process would inherit.
STREAMS = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from seqlab.predict import main
main()
"""


@contextlib.contextmanager
def streaming(run, folder):
    """A process that answers lines as they come."""
    arguments = [sys.executable, "-c", STREAMS, f"run={run}", "input=-", "stream=true", "format=text"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HYDRA_FULL_ERROR": "0"}
    with subprocess.Popen(arguments, **pipes, cwd=folder, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def answered(process, source):
    """What a process answers to one line, while its input stays open."""
    process.stdin.write(f"{source}\n")
    process.stdin.flush()
    return process.stdout.readline()


def test_each_line_is_answered_before_the_next_has_come_until_ctrl_c(trained, expected, tmp_path):
    with streaming(trained, tmp_path) as process:
        for source in ("2 3", "1"):
            assert answered(process, source) == f"{expected[source]}\n"
        process.send_signal(signal.SIGINT)
        assert (process.wait(), process.stderr.read()) == (130, "stopped\n")


def test_a_reader_that_has_enough_ends_it_quietly(trained, expected, tmp_path):
    with streaming(trained, tmp_path) as process:
        assert answered(process, "2 3") == f"{expected['2 3']}\n"
        process.stdout.close()
        process.stdin.write("1\n")
        process.stdin.flush()
        assert (process.wait(), process.stderr.read()) == (1, "")


def test_a_stray_tab_is_warned_of(command, trained, expected, tmp_path):
    (tmp_path / "input.txt.gz").write_bytes(gzip.compress(b"2 3\n1\t5\n"))
    outcome = command("predict", f"run={trained}", "input=input.txt.gz").succeeded()
    assert unwrapped(outcome.err).startswith("warning: 1 of 2 lines has a tab (first: input.txt.gz:2)")
    assert outcome.out.splitlines()[1].split("\t")[1] == expected["1"]
    whole = command("predict", f"run={trained}", "input=input.txt.gz", "targets=false").succeeded()
    assert whole.err == ""
    assert whole.out.splitlines()[1].split("\t")[:2] == ["1\\t5", seqlab.load(trained).predict(["1 5"])[0]]


def test_what_is_not_in_the_vocabulary_is_warned_of(command, monkeypatch, trained):
    tokenizer = CharacterTokenizer.fit(["ab"])
    model = FixedVector(tokenizer.size, tokenizer.size, width=3)
    predictor = Predictor(model, tokenizer, tokenizer, Greedy(max_length=2))
    monkeypatch.setattr(prediction, "load", lambda path, trust=(): predictor)
    outcome = command("predict", f"run={trained}", "input=-", stdin="ab\n\nbcec\nd\n").succeeded()
    told = (
        "2 of 4 lines have symbols that the model does not know, and that it reads as <unk> (first: standard input:3:"
    )
    assert unwrapped(outcome.err) == f"warning: {told} 'c', 'e')\n"
    assert max(map(len, outcome.err.splitlines())) <= 80
    assert [line.split("\t")[3:] for line in outcome.out.splitlines()] == [[], [], ["unknown: c e"], ["unknown: d"]]
    assert command("predict", f"run={trained}", "input=-", stdin="ab\n\nba\n").succeeded().err == ""
    (line,) = command("predict", f"run={trained}", "input=-", "format=jsonl", stdin="cab").succeeded().out.splitlines()
    assert json.loads(line)["unknown"] == ["c"]


def test_numbers_out_of_range_are_warned_of_in_the_same_way(command, trained):
    outcome = command("predict", f"run={trained}", "input=-", stdin="1 2\t2 1\n1 9 x\t7\n3\t3").succeeded()
    told = "1 of 3 lines has symbols that the model does not know, and that it reads as <unk>"
    assert unwrapped(outcome.err) == f"warning: {told} (first: standard input:2: '9', 'x')\n"
    rows = [line.split("\t") for line in outcome.out.splitlines()]
    assert [len(row) for row in rows] == [4, 5, 4]
    assert rows[1][3:] == ["false", "unknown: 9 x"]


def test_a_bundle_works_wherever_it_is_copied(command, trained, expected, tmp_path):
    shutil.copytree(trained / "bundle", tmp_path / "mine")
    (tmp_path / "input.txt").write_text("1 2 3 4\n", encoding="utf-8")
    out = command("predict", "run=mine", "input=input.txt").succeeded().out
    assert out.split("\t")[1] == expected["1 2 3 4"]


def test_python_says_the_same(predict, trained):
    said = [line.split("\t")[1] for line in predict(SOURCES)]
    assert seqlab.load(trained / "bundle").predict(SOURCES) == said
    assert seqlab.load(trained).predict(SOURCES, batch_size=2) == said


def test_a_search_of_ones_own_cuts_the_output(predict, expected):
    said = [line.split("\t")[1] for line in predict(SOURCES, "decoding=greedy", "decoding.max_length=1")]
    assert said == [" ".join(one.split()[:1]) for one in expected.values()]
    assert any(len(one.split()) > 1 for one in expected.values())


def test_settings_alone_change_the_models_own_search(command, copy, tmp_path):
    bundle = copy / "bundle/bundle.json"
    content = json.loads(bundle.read_text(encoding="utf-8"))
    own = {"kind": "beam", "settings": {"max_length": 4, "size": 4, "length_penalty": 0.0}}
    bundle.write_text(json.dumps(content | {"search": own}), encoding="utf-8")
    (tmp_path / "input.txt").write_text("\n".join(SOURCES), encoding="utf-8")
    beam = ("decoding=beam", "decoding.size=4", "decoding.length_penalty=0")
    said = [
        command("predict", f"run={copy}", "input=input.txt", *search, "decoding.n_best=2").succeeded().out
        for search in ((), beam, ("decoding=beam",))
    ]
    assert said[0] == said[1] != said[2]
    short = command("predict", f"run={copy}", "input=input.txt", "decoding.max_length=1").succeeded().out
    assert {len(line.split("\t")[1].split()) for line in short.splitlines()} <= {0, 1}


def test_several_outputs_have_a_line_and_a_rank_each(predict):
    rows = [line.split("\t") for line in predict(SOURCES, "decoding=beam", "decoding.size=4", "decoding.n_best=3")]
    assert [(row[0], row[3]) for row in rows] == [(source, rank) for source in SOURCES for rank in "123"]
    best = [line.split("\t") for line in predict(SOURCES, "decoding=beam", "decoding.size=4")]
    assert [row[:3] for row in rows[::3]] == best
    assert all(len({output for _, output, *_ in rows[start : start + 3]}) == 3 for start in range(0, len(rows), 3))


@pytest.mark.parametrize("decoding", ["beam", "sample"])
def test_several_outputs_are_a_list_in_jsonl(predict, decoding):
    lines = [f"{source}\t5 4" for source in SOURCES]
    settings = (f"decoding={decoding}", "decoding.n_best=3")
    objects = [json.loads(line) for line in predict(lines, "format=jsonl", *settings)]
    tsv = [line.split("\t") for line in predict(lines, *settings)]
    for number, one in enumerate(objects):
        assert one == {"input": SOURCES[number], **one["n_best"][0], "n_best": one["n_best"]}
        shown = [
            [SOURCES[number], own["prediction"], f"{own['score']:.4f}", str(rank), str(own["match"]).lower()]
            for rank, own in enumerate(one["n_best"], 1)
        ]
        assert shown == tsv[3 * number : 3 * number + 3]


def test_an_input_without_any_output_is_said_to_have_none(predict):
    impossible = ("decoding=beam", "decoding.min_length=90", "decoding.max_length=90", "decoding.block_repeats=1")
    assert predict(["1 2"], *impossible) == ["1 2\t\t-inf"]
    (line,) = predict(["1 2"], *impossible, "format=jsonl")
    assert json.loads(line) == {"input": "1 2", "prediction": "", "score": None}


def test_no_checkpoint_is_needed(command, copy, tmp_path):
    shutil.rmtree(copy / "checkpoints")
    (tmp_path / "input.txt").write_text("1 2\n", encoding="utf-8")
    command("predict", f"run={copy}", "input=input.txt").succeeded()


def test_nothing_else_is_left_where_the_command_was_called(predict, tmp_path):
    predict(SOURCES, "output=out.tsv")
    assert {path.name for path in tmp_path.iterdir()} == {"input.txt", "out.tsv"}
