"""The table of benchmarks in tests/README.md is that of the committed results."""

from support import ROOT

from benchmarks.harness import Row, Spread
from benchmarks.table import BEGIN, END, markdown, read, summary
from seqlab.reporting.readme.claims import with_results

MACHINE = {
    "processor": "some",
    "threads": 2,
    "matmul_gflops": {"float32": 345, "bf16": 1300},
    "torch": "2.13.0",
    "date": "2026-01-02",
    "commit": "0123456789abcdef",
}


def test_readme_shows_the_committed_results():
    readme = (ROOT / "tests/README.md").read_text(encoding="utf-8")
    results = read(ROOT / "outputs/reference/bench/bench.json")
    assert with_results(readme, summary(results), BEGIN, END) == readme, "run `make bench`, or benchmarks.table"
    assert markdown(results) in (ROOT / "outputs/reference/bench/README.md").read_text(encoding="utf-8")


def test_a_row_says_what_was_compared_and_whether_that_was_enough():
    row = Row(
        benchmark="some",
        work="training",
        beside="textbook",
        unit="tokens/s",
        ours=Spread(2000.0, 1900.0, 2100.0),
        theirs=Spread(500.0, 400.0, 600.0),
        ratio=Spread(4.0, 3.5, 4.5),
        aim="≥ 3 ×",
        met=True,
        memory=(100.0, 300.0),
        peak_share=0.25,
        note="a note",
    )
    missed = Row("other", "answering", "", "s", Spread(0.75, 0.5, 1.0), aim="≤ 0.6 s", met=False)
    lines = markdown({"environment": MACHINE, "rows": [row.to_json(), missed.to_json()]}).splitlines()
    assert "| training | textbook | 500 tokens/s | 2,000 tokens/s | 4 × (3.5–4.5) | ≥ 3 × ✓ |" in lines
    assert "| answering |  |  | 0.75 s |  | ≤ 0.6 s ✗ |" in lines
    assert "| training | textbook | 100 and 300 MiB | 25% |" in lines
    assert "- some: a note" in lines
    assert any("345 GFLOP/s float32, 1,300 GFLOP/s bf16" in line for line in lines)


def test_readme_has_what_there_are_aims_for():
    aimed = Row("other", "answering", "", "s", Spread(0.75, 0.5, 1.0), aim="≤ 0.6 s", met=False)
    plain = Row("other", "asking", "", "s", Spread(0.75, 0.5, 1.0))
    said = summary({"environment": MACHINE, "rows": [plain.to_json(), aimed.to_json()]})
    assert "| answering |" in said
    assert "asking" not in said
    assert "GFLOP/s" in said
