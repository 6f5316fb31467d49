"""`seqlab-generate`: a text that goes on as it comes; and `seqlab-predict` with a model that continues texts."""

import functools
import os
import re
import signal

import pytest
from processes import Files, started

import seqlab
from seqlab.decoding import Sample


@pytest.fixture
def generate(command, writer):
    """Generates with the shared run; gives its Outcome."""
    return lambda *arguments, **options: command("generate", f"run={writer}", *arguments, **options)


def test_a_text_goes_on_where_the_prompt_ends(generate):
    prompt = "It's (a) ${fog}, [the] = town"
    outcome = generate(f"prompt={prompt}", "length=37", "seed=1").succeeded()  # without <unk>, of five characters
    assert outcome.out.startswith(prompt)
    assert len(outcome.out) == len(prompt) + 37 + len("\n")
    assert re.fullmatch(r"37 tokens in \d+\.\d s, [\d,]+ per second\n", outcome.err)


def test_a_prompt_may_come_from_standard_input(generate):
    typed = generate("prompt=The bell", "length=9", "seed=1").succeeded().out
    assert generate("prompt=-", "length=9", "seed=1", stdin="The bell\n").succeeded().out == typed


def test_blank_lines_are_not_continued_but_an_empty_prompt_is(generate, command, writer):
    rows = command("predict", f"run={writer}", "input=-", stdin="The\n\n").succeeded().out.splitlines()
    assert [bool(row.split("\t")[1]) for row in rows] == [True, False]
    assert seqlab.load(writer).predict([""]) == [""]
    assert len(generate("prompt=", "length=9", "seed=1").succeeded().out) == 9 + len("\n")


def test_the_same_seed_says_the_same_and_settings_may_be_typed_either_way(generate):
    short, long, other = (
        generate("prompt=The", "length=60", *settings).succeeded().out
        for settings in (("top_k=5", "seed=3"), ("decoding=sample", "decoding.top_k=5", "decoding.seed=3"), ("seed=4",))
    )
    assert short == long != other


def test_no_temperature_is_greedy(generate):
    cold = generate("prompt=The", "length=20", "temperature=0").succeeded().out
    assert cold == generate("prompt=The", "length=20", "decoding=greedy").succeeded().out


def test_it_may_stop_at_the_end_of_a_sentence(generate):
    out = generate("prompt=The", "length=5000", "stop=sentence", "temperature=3", "seed=1").succeeded().out
    assert len(out) < 5000
    assert out.endswith((".\n", "!\n", "?\n"))


def test_a_source_is_answered_as_by_predict(command, trained):
    out = command("generate", f"run={trained}", "prompt=1 2 3").succeeded().out
    assert out == seqlab.load(trained).predict(["1 2 3"])[0] + "\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["prompt=a", "stop=never"], ["stop must be", "'never'"]),
        (["prompt=a", "length=0"], ["length must be", "0"]),
        (["prompt=a", "decoding=beam"], ["decoding", "Beam"]),
        (["prompt=a", "decoding=greedy", "top_k=3"], ["decoding.top_k", "Greedy"]),
        (["prompt=-"], ["standard input", "empty"]),
        ([], ["prompt"]),
    ],
)
def test_what_cannot_be_generated_is_said(generate, arguments, named):
    generate(*arguments).stopped(2, *named)


def test_a_source_that_cannot_be_expressed_is_said(command, trained):
    command("generate", f"run={trained}", "prompt=1 99").stopped(2, "prompt: 99 is out of range")
    command("generate", f"run={trained}", "prompt= ").stopped(2, "prompt: is blank")


@pytest.mark.parametrize(("end", "code"), [("Ctrl-C", 130), ("nobody reads on", 1)])
def test_it_can_be_stopped(writer, tmp_path, end, code):
    files = Files(*(tmp_path / name for name in ("in", "out", "err")))
    files.stdin.touch()
    os.mkfifo(files.stdout)
    heeding = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)  # not in the background
    arguments = (f"run={writer}", "prompt=The\n", "length=1000000", "seed=1")
    process = started(tmp_path, *arguments, command="generate", files=files, before=heeding)
    with files.stdout.open(encoding="utf-8") as out:
        assert out.readline() == "The\n"
        said = out.read(20)
        if end == "Ctrl-C":
            os.kill(process.pid, signal.SIGINT)
            said += out.read()
    process.join(timeout=100)
    err = files.stderr.read_text(encoding="utf-8")
    assert process.exitcode == code, err
    if end == "Ctrl-C":
        assert said.endswith("\n")
        count = re.match(r"([\d,]+) tokens in ", err)
        assert count is not None, err
        assert abs(int(count[1].replace(",", "")) - len(said)) < 9  # some may wait for what follows them
    else:
        assert err == ""


def test_predict_continues_every_line(command, writer):
    lines = ["The ", "Anna has put her bicycle", "a\tb"]
    outcome = command("predict", f"run={writer}", "input=-", "decoding=sample", stdin="\n".join(lines)).succeeded()
    rows = [line.split("\t") for line in outcome.out.splitlines()]
    assert [row[0] for row in rows] == ["The ", "Anna has put her bicycle", "a\\tb"]
    assert [len(row[1]) for row in rows] == [12, 12, 12]
    model = seqlab.load(writer)
    model.search = Sample(max_length=12)
    assert [row[1] for row in rows] == model.predict(lines)
