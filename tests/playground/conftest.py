"""Models to play with: the small ones that come with seqlab, and a language model that has learnt nothing."""

import contextlib
import http.client
import json
import socket
import threading

import pytest
import torch
from support import ROOT

from seqlab.decoding import Sample
from seqlab.inference.bundle import save
from seqlab.inference.streams import StreamFormat
from seqlab.kinds import NOTHING
from seqlab.models.gpt import GPT
from seqlab.playground.named_bundles import named_bundles
from seqlab.playground.played_models import played_models
from seqlab.text.tokenizers import CharacterTokenizer

REVERSAL = ROOT / "outputs/reference/reversal"


@pytest.fixture(scope="session")
def models():
    """The eight models that reverse lists, by name."""
    return {one.name: one for one in played_models(named_bundles([REVERSAL]), NOTHING)}


@pytest.fixture(scope="session")
def writer(tmp_path_factory):
    """A bundle of a language model over letters, with a window of 12 tokens."""
    return written(
        tmp_path_factory.mktemp("writer") / "letters", CharacterTokenizer.fit(["the captain waits for the ferry\n"])
    )


def written(folder, tokenizer):
    """The folder of a new bundle: a language model that has learnt nothing, with a window of 12 tokens."""
    settings = {"width": 16, "heads": 2, "layers": 1, "feed_forward": 16, "max_positions": 16, "sources": False}
    settings |= {"source_size": tokenizer.size, "target_size": tokenizer.size}
    torch.manual_seed(1)
    stream = StreamFormat(boundaries="none", length=12)
    save(folder, GPT(**settings), settings, (tokenizer, tokenizer), Sample(max_length=9), stream)
    return folder


@contextlib.contextmanager
def served(app):
    """The port on which `app` answers, for as long as the context is open."""
    import uvicorn

    from seqlab.playground.server import PlayServer

    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    server = PlayServer(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


class Client:
    """Talks to a server as a browser does."""

    def __init__(self, port):
        self.port = port

    def open(self, method, path, body=None, **headers):
        """The connection and its response, which is still to be read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(method, path, body, headers)
        return connection, connection.getresponse()

    def get(self, path, **headers):
        """Status, headers and content of a page."""
        connection, response = self.open("GET", path, **headers)
        content = response.read()
        connection.close()
        return response.status, response.headers, content

    def asking(self, forced, source, search="greedy", **settings):
        """A connection and a response, whose events are still to come."""
        body = json.dumps({"forced": forced, "source": source, "search": search, "settings": settings})
        return self.open("POST", "/answer", body, **{"Content-Type": "application/json"})

    def seeing(self, models, source):
        """The same for what of a text appears in training."""
        body = json.dumps({"models": models, "source": source})
        return self.open("POST", "/seen", body, **{"Content-Type": "application/json"})

    def looking(self, **asked):
        """Status and content of where a language model looked."""
        connection, response = self.open("POST", "/look", json.dumps(asked), **{"Content-Type": "application/json"})
        content = json.loads(response.read())
        connection.close()
        return response.status, content

    def ask(self, forced, source, search="greedy", **settings):
        """All events of an answer."""
        connection, response = self.asking(forced, source, search, **settings)
        assert response.status == 200, response.read()
        events = [*events_of(response)]
        connection.close()
        return events


def events_of(response):
    """Yields server-sent events as they come."""
    for line in response:
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))
