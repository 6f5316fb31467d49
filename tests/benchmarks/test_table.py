"""The table of benchmarks in tests/README.md is that of the committed results."""

import json

from support import ROOT

from benchmarks.harness import Row, Spread, StepTimes
from benchmarks.table import BEGIN, END, markdown, read, summary, write
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
    results, on_gpu = (read(ROOT / "outputs/reference/bench" / name) for name in ("bench.json", "bench_cuda.json"))
    assert with_results(readme, summary(results, on_gpu), BEGIN, END) == readme, "run `make bench`, or benchmarks.table"
    for one in (results, on_gpu):
        assert one is None or markdown(one) in (ROOT / "outputs/reference/bench/README.md").read_text(encoding="utf-8")


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


ON_GPU = {**MACHINE, "gpu": "NVIDIA Some", "cuda": "13.0", "matmul_size": 8192}
CPU_ROW = Row("other", "answering", "", "s", Spread(0.75, 0.5, 1.0), aim="≤ 0.6 s", met=False)


def gpu_row(**steps):
    known = {"model": "gpt", "precision": "bf16", "textbook": 30.0, "eager": 12.0, "replayed": 1.25, "run": 2.0}
    return Row(
        benchmark="gpt",
        work="training",
        beside="textbook",
        unit="tokens/s",
        ours=Spread(300_000.0, 290_000.0, 310_000.0),
        aim="≤ 2.5 ms a step",
        met=True,
        steps=StepTimes(**{**known, "busy": 0.625, "graphs": 7, **steps}),
    )


def test_steps_on_a_gpu_stand_beside_the_textbook_s_and_bare_replays():
    shown = markdown({"environment": ON_GPU, "rows": [gpu_row().to_json(), CPU_ROW.to_json()]})
    assert "| `gpt`, bf16 | 30.0 ms | 12.0 ms | 1.2 ms | 2.0 ms | 15.0 × | 300,000 | 62% |" in shown.splitlines()
    assert "NVIDIA Some, CUDA 13.0, beside some, 2 threads; products of matrices of 8192" in shown
    assert "bench_cuda.json" in shown


def test_a_model_that_was_not_captured_says_why():
    rows = [gpu_row(not_captured="it asks", busy=None).to_json()]
    assert "| `gpt`, bf16 (not captured: it asks) | 30.0 ms |" in markdown({"environment": ON_GPU, "rows": rows})


def test_the_table_of_a_gpu_comes_second_and_only_where_one_was_measured(tmp_path):
    readme, cpu, gpu = (tmp_path / name for name in ("tests.md", "bench.json", "bench_cuda.json"))
    readme.write_text(f"before\n{BEGIN}\n{END}\nafter\n", encoding="utf-8")
    cpu.write_text(json.dumps({"environment": MACHINE, "rows": [CPU_ROW.to_json()]}), encoding="utf-8")
    write(readme, cpu, gpu)
    alone = readme.read_text(encoding="utf-8")
    assert "answering" in alone
    assert "GPU" not in alone + (tmp_path / "README.md").read_text(encoding="utf-8")
    gpu.write_text(json.dumps({"environment": ON_GPU, "rows": [gpu_row().to_json()]}), encoding="utf-8")
    write(readme, cpu, gpu)
    for text in (readme.read_text(encoding="utf-8"), (tmp_path / "README.md").read_text(encoding="utf-8")):
        assert text.index("answering") < text.index("On a GPU") < text.index("| `gpt`, bf16 |")
