"""What runs elsewhere (workflows, hooks, the guide for contributors) names commands and files that there are."""

import re

import pytest
import yaml
from support import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TEMPLATES = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
TARGETS = set(re.findall(r"^([\w-]+(?: [\w-]+)*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
GUIDE = (ROOT / ".github/CONTRIBUTING.md").read_text(encoding="utf-8")


def commands(workflow):
    """The lines that a workflow runs."""
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    return [line for job in jobs.values() for step in job["steps"] for line in step.get("run", "").splitlines()]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_what_there_is(workflow):
    words = [word for line in commands(workflow) for word in line.split()]
    assert [word for word in words if word.startswith("tests/") and not (ROOT / word).exists()] == []
    experiments = [word.partition("=")[2] for word in words if word.startswith("experiment=")]
    assert [name for name in experiments if not (ROOT / f"conf/experiment/{name}.yaml").is_file()] == []


def test_make_has_every_target_that_is_named():
    known = {name for line in TARGETS for name in line.split()}
    named = {name for workflow in WORKFLOWS for line in commands(workflow) for name in re.findall(r"^make (\S+)", line)}
    named |= set(re.findall(r"(?:`|^    )make ([\w-]+)", GUIDE, re.MULTILINE))
    assert {"setup", "check", "test"} <= named
    assert named <= known


def test_the_hooks_are_what_make_check_runs():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    tools = {hook["entry"].split()[0].removeprefix(".venv/bin/") for hook in hooks}
    check = re.findall(
        r"\$\(BIN\)/(\w+)", (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]
    )
    assert tools == set(check)


@pytest.mark.parametrize("template", [one for one in TEMPLATES if one.stem != "config"], ids=lambda path: path.stem)
def test_a_form_asks_for_what_it_names(template):
    form = yaml.safe_load(template.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))
    assert all(field["attributes"]["label"] for field in form["body"])
