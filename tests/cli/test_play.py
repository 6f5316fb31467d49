"""`seqlab-play`: it says where the page is, or in one line what is wrong."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest
from support import ROOT

SMALL = f"runs=[{ROOT / 'outputs/reference/reversal/gru'}]"


@pytest.fixture
def served(monkeypatch):
    """What the server was given: the application and the address, in place of serving until it is stopped."""
    uvicorn, called = pytest.importorskip("uvicorn"), []

    def run(server, sockets):
        called.append((server.config.app, sockets[0].getsockname()))
        sockets[0].close()

    monkeypatch.setattr(uvicorn.Server, "run", run)
    return called


def test_it_listens_on_this_machine_alone(command, served):
    out = command("play", SMALL, "port=0").succeeded().out
    ((_, (host, port)),) = served
    assert host == "127.0.0.1" and f"loading 1 model …\n1 model; open http://127.0.0.1:{port}/ in a browser" in out


def test_others_need_the_token_in_the_address(command, served):
    out = command("play", SMALL, "host=0.0.0.0", "port=0").succeeded().out
    ((app, (host, port)),) = served
    token = re.search(rf"open http://0\.0\.0\.0:{port}/([\w-]{{20,}})/ in", out)[1]
    assert host == "0.0.0.0" and [route.path for route in app.routes] == [f"/{token}"]


def test_ctrl_c_with_open_streams_is_one_line():
    pytest.importorskip("uvicorn")
    typed = [sys.executable, "-m", "seqlab.play", f"runs=[{ROOT / 'outputs/reference/reversal'}]", "port=0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(typed, **pipes, text=True, cwd=ROOT, env=environment) as server:
        assert server.stdout.readline() == "loading 8 models …\n"
        port = int(re.search(r":(\d+)/", server.stdout.readline())[1])
        forced = {"transformer": [], "gpt": [], "conv": []}
        body = {"source": "1 2 3 " * 20, "forced": forced, "search": "beam", "settings": {"size": 12}}
        connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=120) for _ in range(3)]
        for one in connections:
            one.request("POST", "/answer", json.dumps(body), {"Content-Type": "application/json"})
            assert one.getresponse().readline() == b"event: start\n"
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=120)
    assert (err, server.returncode) == ("stopped\n", 130) and "Traceback" not in out


def test_a_port_in_use_is_named(command):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command("play", SMALL, f"port={port}").stopped(2, f"port={port}", "in use", "port=0 takes a free one")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["runs=[elsewhere]"], "elsewhere: no such folder"),
        (["runs=[]"], "runs must name at least one"),
        (["port=99999"], "port must be an integer of 0 to 65535"),
        (["port=x"], "port must be an integer of 0 to 65535"),
        (["+colour=red"], "no setting or group is named colour"),
    ],
)
def test_settings_that_cannot_be_are_named(command, arguments, named):
    command("play", "port=0", *arguments).stopped(2, named)


def test_a_library_that_is_missing_is_named(command, monkeypatch):
    monkeypatch.delitem(sys.modules, "seqlab.playground.server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    command("play", SMALL).stopped(
        2, "play needs uvicorn, which is not installed; type ", "pip install -e '", "[play]'"
    )
