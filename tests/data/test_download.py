"""Fetching a deck from a server on this machine."""

import http.server
import io
import threading
import zipfile

import pytest

from seqlab.data import download as module
from seqlab.data.download import download
from seqlab.errors import InputError


def deck(text="Go.\tVa !\nRun!\tCours !\n"):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("fra.txt", text)
        archive.writestr("_about.txt", "about")
    return data.getvalue()


DECK = deck()


@pytest.fixture
def serve():
    """Starts a server that sends the given answer and records the user agents."""
    servers, agents = [], []

    def start(body, promised=None, status=200):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                agents.append(self.headers["User-Agent"])
                self.send_response(status)
                self.send_header("Content-Length", str(promised or len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/fra-eng.zip", agents

    yield start
    for server in servers:
        server.shutdown()


def test_a_deck_is_fetched_whole(serve, tmp_path):
    address, agents = serve(DECK)
    target = tmp_path / "new" / "fra-eng.zip"
    assert download(address, target) == 2
    assert target.read_bytes() == DECK
    assert "seqlab" in agents[0]
    assert "urllib" not in agents[0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"body": DECK[:90], "promised": len(DECK)}, "broke off|could not be fetched"),
        ({"body": b"<html>not a deck</html>"}, "not a readable zip"),
        ({"body": b"", "status": 406}, "could not be fetched"),
    ],
)
def test_a_bad_answer_leaves_nothing(serve, tmp_path, answer, message):
    address, _ = serve(**answer)
    with pytest.raises(InputError, match=message):
        download(address, tmp_path / "fra-eng.zip")
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_the_message_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"Without a network.*data.path=FILE"):
        download("http://127.0.0.1:9/fra-eng.zip", tmp_path / "fra-eng.zip", timeout=2.0)
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_it_did(monkeypatch, tmp_path, capsys):
    target = tmp_path / "fra-eng.zip"
    monkeypatch.setattr(module, "DOWNLOADED", target)
    monkeypatch.setattr(module, "download", lambda: target.write_bytes(DECK))
    module.main()
    assert capsys.readouterr().out == f"{len(DECK):,} sentence pairs in {target}: seqlab-train data=anki uses them\n"
    module.main()
    assert capsys.readouterr().out == f"{target} exists already; delete it to fetch it again\n"


def test_the_command_ends_with_the_code_of_its_error(monkeypatch, tmp_path, capsys):
    def fails():
        raise InputError("no network")

    monkeypatch.setattr(module, "DOWNLOADED", tmp_path / "fra-eng.zip")
    monkeypatch.setattr(module, "download", fails)
    with pytest.raises(SystemExit) as stop:
        module.main()
    assert stop.value.code == 2
    assert capsys.readouterr() == ("", "error: no network\n")
