"""The ledger: what its files say, under each profile."""

import pytest
from hydra import compose, initialize_config_dir
from support import ROOT

from seqlab.errors import InputError
from seqlab.reproduction.claim import FOLDER, PROFILES, Need, read_claim, read_claims
from seqlab.reproduction.criteria import RULES, Results, judge

CLAIM = """
title: a title
text: a text
source: a source
groups:
  some:
    title: some
    settings: experiment=toy_gru
    cpu: model.width=8 'name=two words'
    seeds: {cpu: [1, 2], full: [3]}
criteria:
  - {text: a criterion, rule: below, of: some, figure: epochs, bound: 5}
"""


ON_REQUEST = [one for profile in PROFILES for one in read_claims(["M", "P"], profile) if profile in one.profiles]


def test_what_is_part_of_a_claim_that_runs_on_request_does_so_too():
    multi30k = [f"M_multi30k{part}" for part in ("", "_fifth", "_pieces", "_whole")]
    names = ["K2", "M", "M_anki", *multi30k, "M_reversal", "M_text"]
    assert [claim.name for claim in read_claims(["M"], "full")] == names
    assert not {*names, "P"} & {claim.name for claim in read_claims()}
    small = [claim.name for claim in read_claims(["M"]) if claim.groups]
    assert small == ["K2", "M_multi30k", "M_multi30k_fifth", "M_multi30k_whole", "M_reversal"]


def test_every_command_of_the_ledger_composes():
    claims = [claim for profile in PROFILES for names in (None, ["P"]) for claim in read_claims(names, profile)]
    assert {claim.name for claim in claims} == {"R", "T", "C", "C_lengths", "K", "G", "S", "P"}
    lines = {}
    for words in {group.words for claim in claims for group in claim.groups}:
        choices = tuple(word for word in words if "." not in word.partition("=")[0])
        lines.setdefault(choices, []).extend(word for word in words if word not in choices)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for choices, values in lines.items():  # values of all commands at once: each is set, and refused, by itself
            assert compose("train", [*choices, *dict.fromkeys(values)]).seed == 1


def test_every_rule_of_the_ledger_knows_its_groups():
    for claim in [*read_claims(), *ON_REQUEST]:
        nothing = {group.label: Results([], len(group.seeds)) for group in claim.groups}
        for criterion in claim.criteria:
            assert criterion.rule in RULES
            assert "there is no group" not in judge(criterion, nothing).why
        assert {label for pair in claim.compared for label in pair} <= {group.label for group in claim.groups}


def test_every_text_of_the_claims_is_text():
    """A colon would make a mapping of one."""
    for claim in [*read_claims(), *ON_REQUEST]:
        texts = [claim.title, claim.text, claim.source, *claim.published, *claim.columns.values()]
        texts += [group.title for group in claim.groups]
        texts += [text for criterion in claim.criteria for text in (criterion.text, criterion.expected)]
        assert [text for text in texts if not isinstance(text, str)] == []


def test_claims_are_chosen_with_what_is_part_of_them():
    assert [claim.name for claim in read_claims(["C", "R"])] == ["C", "C_lengths", "R"]
    names = ".*, ".join(rf"{name} \(" for name in ("C", "C_lengths", "G", "K", "K2", "M", "M_.*", "P", "R", "S", "T"))
    with pytest.raises(InputError, match=f"^claims must be among {names}.*, but 'Z' is not$"):
        read_claims(["Z"])
    with pytest.raises(InputError, match="profile must be one of cpu, full, but is 'gpu'"):
        read_claims(None, "gpu")


def test_what_is_run_depends_on_the_profile(tmp_path):
    (tmp_path / "X.yaml").write_text(CLAIM)
    (cpu,), (full,) = (read_claims(None, profile, tmp_path) for profile in PROFILES)
    assert cpu.groups[0].arguments(2) == ["experiment=toy_gru", "model.width=8", "name=two words", "seed=2"]
    assert cpu.groups[0].command == "seqlab-train -m experiment=toy_gru model.width=8 'name=two words' seed=1,2"
    assert full.groups[0].command == "seqlab-train experiment=toy_gru seed=3"


def test_what_is_expected_may_depend_on_the_profile(tmp_path):
    bounds = CLAIM.replace("bound: 5", "bound: {cpu: 2, full: 5}, expected: {cpu: at most 2, full: at most 5}")
    (tmp_path / "X.yaml").write_text(bounds)
    (cpu,), (full,) = (read_claims(None, profile, tmp_path) for profile in PROFILES)
    assert [(one.expected, one.arguments["bound"]) for one in cpu.criteria] == [("at most 2", 2)]
    assert [(one.expected, one.arguments["bound"]) for one in full.criteria] == [("at most 5", 5)]


def test_an_entry_may_be_for_one_profile_only(tmp_path):
    several = CLAIM.replace("  some:", '  "{name}_run":').replace("title: some", 'title: "{title}"')
    entries = "for_each:\n  both: {title: one}\n  large: {title: two, profiles: [full]}\ngroups:"
    (tmp_path / "X.yaml").write_text(several.replace("groups:", entries))
    (cpu,), (full,) = (read_claims(None, profile, tmp_path) for profile in PROFILES)
    assert [group.label for group in cpu.groups] == ["both_run"]
    assert [(group.label, group.title) for group in full.groups] == [("both_run", "one"), ("large_run", "two")]


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ("title: a title\n", "groups is missing"),
        (CLAIM.replace("source: a source", ""), "source is missing"),
        (CLAIM + "extra: 1\n", "extra"),
        (CLAIM.replace("full: [3]", "half: [3]"), "full is missing"),
        (CLAIM.replace("rule: below, ", ""), "rule is missing"),
        ("- a list\n", "not a claim"),
        ("title: [\n", "not a claim"),
    ],
)
def test_a_file_that_is_no_claim_is_named(tmp_path, broken, named):
    (tmp_path / "X.yaml").write_text(broken)
    with pytest.raises(InputError, match=rf"X\.yaml: .*{named}"):
        read_claim(tmp_path / "X.yaml", "full")


def test_what_must_be_there_is_looked_for_where_the_environment_says(tmp_path, monkeypatch):
    need = Need("${oc.env:SOME_DATA,nowhere}/train.de*", "put it there")
    assert not need.is_there()
    monkeypatch.setenv("SOME_DATA", str(tmp_path))
    assert not need.is_there()
    (tmp_path / "train.de.gz").touch()
    assert need.is_there()


def test_the_criteria_of_the_published_claims_are_those_that_were_fixed():
    """A number that decides must not drift: 97 % (R), 0.01 (T)."""
    bounds = {
        name: [
            c.arguments["bound"] for c in read_claim(FOLDER / f"{name}.yaml", "cpu").criteria if "bound" in c.arguments
        ]
        for name in "RT"
    }
    assert bounds == {"R": [0.97, 0.97, 0.97], "T": [0.01, 1.0]}
