"""`seqlab-publish` and `hf://USER/NAME`, against a stand-in for the hub."""

import json
import socket
from functools import partial

import pytest
from hub_stand_in import READS, WRITES, served_hub, set_environment
from support import ROOT

import seqlab
from seqlab.folders import BUNDLE_FILES

MODEL = ROOT / "outputs/reference/reversal/gru"
ADDRESS = "hf://me/reversal"


@pytest.fixture
def hub():
    """A running stand-in, empty."""
    with served_hub() as service:
        yield service


@pytest.fixture
def variables(hub, tmp_path):
    """What has `huggingface_hub` take the stand-in for the hub, without a token and with an empty cache."""
    return {
        **{"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "cache"), "HF_TOKEN": "", "HF_HUB_OFFLINE": "0"},
        # Large files go by LFS then: what speaks Xet is a binary with a service of its own.
        **{"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "*"},
    }


@pytest.fixture
def online(apart, variables):
    """Calls a command with these variables, with a token or without one."""

    def call(name, *arguments, token="", address=None, stdin=""):
        changes = {**variables, "HF_TOKEN": token} | ({"HF_ENDPOINT": address} if address else {})
        return apart(name, *arguments, stdin=stdin, before=partial(set_environment, changes))

    return call


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def address_nobody_listens_on():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}"


def test_what_was_published_predicts_as_the_bundle(online, hub):
    out = online("publish", f"run={MODEL}", "repo=me/reversal", token=WRITES).succeeded().out
    assert f"published   {hub.address}/me/reversal\n" in out
    assert f"seqlab-predict run={ADDRESS} input=FILE" in out
    (number,) = (one for one in hub.repositories["me/reversal"].commits if f"{ADDRESS}@{one}" in out)
    files = hub.repositories["me/reversal"].commits[number]
    assert set(files) == {*BUNDLE_FILES, ".gitattributes"}
    assert files["weights.safetensors"] == (MODEL / "weights.safetensors").read_bytes()
    assert hub.large, "weights are uploaded as a large file"
    expected = seqlab.load(MODEL).predict(["3 1 2", "7 7"])
    for address in (ADDRESS, f"{ADDRESS}@main", f"{ADDRESS}@{number}"):
        outcome = online("predict", f"run={address}", "input=-", "format=text", stdin="3 1 2\n7 7\n")
        assert outcome.succeeded().out.splitlines() == expected
        assert outcome.err == ""


def test_the_card_names_the_repository_and_no_folder_of_this_machine(online, hub, copy):
    card = copy / "bundle/README.md"
    more = (
        "\nRead from /home/anna/secret/pairs.tsv.\n\n    seqlab-train 'data.path=/Users/Anna Smith/secret/pairs.tsv'\n"
    )
    card.write_text(card.read_text(encoding="utf-8") + more, encoding="utf-8")
    online("publish", f"run={copy}", "repo=me/reversal", token=WRITES).succeeded()
    repository = hub.repositories["me/reversal"]
    shown = repository.commits[repository.revisions["main"]]["README.md"].decode()
    assert "To use it:\n\n    seqlab-predict run=hf://me/reversal input=FILE" in shown
    assert "FOLDER" not in shown
    assert not any(name in shown for name in ("anna", "Smith", "secret")) and "'data.path=…/pairs.tsv'" in shown


def test_only_the_files_of_a_bundle_are_fetched(online, hub):
    hub.add("me/more", {**files_of(MODEL), "model.py": b"raise SystemExit", "pytorch_model.bin": b"\x80pickle"})
    online("predict", "run=hf://me/more", "input=-", stdin="3 1 2").succeeded()
    fetched = {one.rpartition("/")[2] for one in hub.asked if "/resolve/" in one}
    assert fetched == {*BUNDLE_FILES}


def test_generating_takes_it_and_without_a_network_the_copy_is_used(online, hub):
    hub.add("me/reversal", files_of(MODEL))
    said = online("generate", f"run={ADDRESS}", "prompt=3 1 2").succeeded().out
    nowhere = address_nobody_listens_on()
    assert online("generate", f"run={ADDRESS}", "prompt=3 1 2", address=nowhere).succeeded().out == said


PLAYED = """
from seqlab.kinds import NOTHING
from seqlab.playground.named_bundles import named_bundles
from seqlab.playground.played_models import played_models
print(*(one.name for one in played_models(named_bundles(["hf://me/reversal", "hf://you/reversal"]), NOTHING)))
"""


def test_playing_takes_it_and_names_models_by_their_owners_where_it_must(process, online, hub, variables):
    for owner in ("me", "you"):
        hub.add(f"{owner}/reversal", files_of(MODEL))
    assert process("-c", PLAYED, **variables).succeeded().out == "me/reversal you/reversal\n"
    online("play", "runs=[hf://me/none]", "port=0").stopped(2, "hf://me/none: the hub has no such repository")


def test_initial_weights_may_come_from_it(online, hub, trained, tiny, reversal):
    hub.add("me/start", files_of(trained / "bundle"))
    settings = (*tiny, *reversal, "model=gru", "measure=false", "hydra.run.dir=run")
    online("train", *settings, "initial_weights=hf://me/start").succeeded()
    stopped = online("train", *settings, "hydra.run.dir=other", "initial_weights=hf://me/none")
    stopped.stopped(2, "initial_weights: hf://me/none: the hub has no such repository")


def test_a_model_is_published_again_as_another_commit(online, hub, trained):
    first = hub.add("me/reversal", files_of(MODEL))
    online("publish", f"run={trained}", "repo=me/reversal", token=WRITES).succeeded()
    repository = hub.repositories["me/reversal"]
    assert repository.revisions["main"] != first
    assert set(repository.commits[first]) == {*BUNDLE_FILES}


def test_a_dry_run_writes_what_would_be_uploaded_and_asks_nobody(online, hub, tmp_path):
    for _ in range(2):  # the second replaces what the first wrote
        out = online("publish", f"run={MODEL}", "repo=me/reversal", "dry_run=true").succeeded().out
    assert "outputs/published/me/reversal: README.md, bundle.json" in out
    folder = tmp_path / "outputs/published/me/reversal"
    assert set(files_of(folder)) == {*BUNDLE_FILES}
    assert "run=hf://me/reversal" in (folder / "README.md").read_text(encoding="utf-8")
    assert seqlab.load(folder).predict(["3 1 2"]) == seqlab.load(MODEL).predict(["3 1 2"])
    assert [path.name for path in folder.parent.iterdir()] == ["reversal"]
    assert hub.asked == []
    (folder / "notes.txt").write_text("mine")
    again = online("publish", f"run={MODEL}", "repo=me/reversal", "dry_run=true")
    again.stopped(2, "outputs/published/me/reversal: holds other files (notes.txt)")
    assert (folder / "notes.txt").is_file()


@pytest.mark.parametrize(
    ("repo", "token", "named"),
    [
        ("me/reversal", "", "repo=me/reversal: publishing needs a token with write access; type `hf auth login`"),
        ("me/reversal", "hf_wrong", "repo=me/reversal: the hub does not accept the token"),
        ("me/reversal", READS, "repo=me/reversal: the token may not do this"),
        ("you/reversal", WRITES, "repo=you/reversal: the token may not do this"),
        ("me/bert", WRITES, "repo=me/bert: this repository holds something else (config.json)"),
        ("reversal", WRITES, "repo: expected USER/NAME, but found 'reversal'"),
        ("me/a--b", WRITES, "repo: expected USER/NAME, but found 'me/a--b'"),
    ],
)
def test_what_cannot_be_published_is_named_in_one_line(online, hub, repo, token, named):
    hub.add("me/bert", {"config.json": b"{}"})
    online("publish", f"run={MODEL}", f"repo={repo}", token=token).stopped(2, named)
    assert [name for name in hub.repositories if name != "me/bert"] == []


def test_a_broken_bundle_is_not_published(online, hub, copy):
    weights = copy / "bundle/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    stopped = online("publish", f"run={copy}", "repo=me/reversal", token=WRITES)
    stopped.stopped(2, "weights.safetensors: not a readable weights file")
    assert hub.asked == []


def test_without_a_network_nothing_is_published(online):
    nowhere = address_nobody_listens_on()
    stopped = online("publish", f"run={MODEL}", "repo=me/reversal", token=WRITES, address=nowhere)
    stopped.stopped(2, "repo=me/reversal: the Hugging Face hub cannot be reached; with a network, type the same again")


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("hf://me/none", "hf://me/none: the hub has no such repository, or a private one"),
        ("hf://me/bert", "hf://me/bert: no bundle of seqlab there: it has no bundle.json"),
        ("hf://me/reversal@old", "hf://me/reversal@old: the repository has no such branch, tag or commit"),
        ("hf://me/broken", "no format"),
        ("hf://reversal", "hf://reversal: expected USER/NAME, but found 'reversal'"),
        ("hf://me/reversal@", "the revision must be a branch, a tag or a commit"),
        ("hf://me/reversal@../x", "the revision must be a branch, a tag or a commit"),
    ],
)
def test_what_cannot_be_fetched_is_named_in_one_line(online, hub, address, named):
    hub.add("me/reversal", files_of(MODEL))
    hub.add("me/bert", {"config.json": b"{}"})
    hub.add("me/broken", {**files_of(MODEL), "bundle.json": b'{"format": "no format"}'})
    online("predict", f"run={address}", "input=-", stdin="3 1 2").stopped(2, named)


def test_without_a_network_and_a_copy_there_is_nothing_to_predict_with(online):
    stopped = online("predict", f"run={ADDRESS}", "input=-", stdin="3", address=address_nobody_listens_on())
    stopped.stopped(2, f"{ADDRESS}: the Hugging Face hub cannot be reached")


def test_a_class_of_a_package_that_is_not_trusted_is_refused(online, hub):
    files = files_of(MODEL)
    content = json.loads(files["bundle.json"])
    content["model"]["kind"] = "os.path.join"
    hub.add("me/hostile", {**files, "bundle.json": json.dumps(content).encode()})
    online("predict", "run=hf://me/hostile", "input=-", stdin="3").stopped(2, "os.path.join")


def test_evaluating_says_what_it_lacks(command):
    command("evaluate", f"run={ADDRESS}").stopped(2, f"run={ADDRESS}: a published model lacks the data")
