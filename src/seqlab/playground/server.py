"""Serves the page and streams answers to it.

Each model has one thread. Requests to it take short turns, so nobody waits for a whole answer of somebody else, and a
slow model delays no other.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from hydra_pruning_sweeper.messages import plural
from seqlab.config.bundle_settings import PlaySettings
from seqlab.errors import InputError
from seqlab.paths import PACKAGE
from seqlab.playground.answer_events import answer_events, settings_shown
from seqlab.playground.play_request import (
    LONGEST_BODY,
    LookRequest,
    PlayRequest,
    read_look,
    read_request,
    read_seen,
)
from seqlab.playground.played_models import PlayedModel, played_models
from seqlab.playground.text_attention import looked
from seqlab.playground.training_search import TextSeen, TrainingSearch
from seqlab.playground.wire import Event, sent

log = logging.getLogger(__name__)

HERE, REPORT = PACKAGE / "playground/assets", PACKAGE / "reporting/page/assets"
FILES = {
    "": HERE / "play.html",
    **{name: REPORT / name for name in ("style.css", "common.js", "attention.js")},
    **{
        name: HERE / name
        for name in (
            *("play.css", "state.js", "answers.js", "training.js", "many_lists.js", "beam_tree.js", "saving.js"),
            *("cards.js", "play.js"),
        )
    },
}
"""What is served, by the end of its address; read once."""
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
TURN = 0.02
"""Seconds of a model's thread that a request gets at a time. Tokens that take less are sent together: to hand each over
by itself takes longer than to compute it where fifty people ask small models.
"""
WAITING = 16
"""Turns whose events wait for a slow reader before its models wait, too."""
LOCAL = ("127.0.0.1", "localhost")


class Turns:
    """The thread of a model, on which its answers take turns."""

    def __init__(self, model: PlayedModel) -> None:
        self._model = model
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"play-{model.name}")

    async def put_into(self, request: PlayRequest, events: asyncio.Queue[bytes]) -> None:
        """Puts the events of an answer into a queue, and b"" after the last. Cancelling it ends the work after the
        current turn.
        """
        loop = asyncio.get_running_loop()
        answer = answer_events(self._model, request)
        try:
            while turn := await loop.run_in_executor(self._thread, _turn, answer, self._model.name):
                await events.put(turn)
            await events.put(b"")
        finally:
            self._thread.submit(answer.close)  # type: ignore[attr-defined]  # a generator

    async def look(self, request: LookRequest) -> dict[str, list[list[int]]]:
        """Where a language model looked, as `looked` says."""
        call = functools.partial(looked, self._model.predictor, [*self._model.heads], request)
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _turn(events: Iterator[Event], name: str) -> bytes:
    """The next events, as many as come in one turn but at least one, as they are sent; b"" after the last."""
    end, turn = time.monotonic() + TURN, b""
    while event := _next(events, name):
        turn += event
        if time.monotonic() >= end:
            break
    return turn


def _next(events: Iterator[Event], name: str) -> bytes:
    """The next event; b"" after the last. An error is an event, too, and the last."""
    try:
        event = next(events, None)
        return b"" if event is None else sent(event, name)
    except InputError as error:
        return sent({"event": "error", "message": str(error)}, name)
    except Exception as error:  # an architecture of one's own may raise anything
        log.exception("%s failed", name)
        return sent({"event": "error", "message": f"the model failed: {type(error).__name__}"}, name)


Source = Callable[[asyncio.Queue[bytes]], Coroutine[Any, Any, None]]
"""Puts events into a queue, and b"" after the last."""


async def together(sources: Sequence[Source], connection: Request, ending: asyncio.Event) -> AsyncIterator[bytes]:
    """The events of several models in the order in which they come, until their reader goes or the server ends.

    All are in one response, because a browser opens only six connections to a server.
    """
    queue: asyncio.Queue[bytes] = asyncio.Queue(WAITING)
    tasks = [asyncio.create_task(source(queue)) for source in sources]
    stops = [asyncio.create_task(_gone(connection)), asyncio.create_task(ending.wait())]
    left, coming = len(tasks), None
    try:
        while left:
            coming = asyncio.create_task(queue.get())
            await asyncio.wait([coming, *stops], return_when=asyncio.FIRST_COMPLETED)
            if any(one.done() for one in stops):
                return
            if events := coming.result():
                yield events
            else:
                left -= 1
    finally:
        for task in (*tasks, *stops, *([coming] if coming else [])):
            task.cancel()


async def _gone(connection: Request) -> None:
    """Returns when the reader has closed the connection."""
    while (await connection.receive())["type"] != "http.disconnect":
        pass


def play_app(models: Sequence[PlayedModel], token: str = "", hosts: Sequence[str] = LOCAL) -> Starlette:
    """The application.

    Args:
        token: what all addresses begin with; "" for none.
        hosts: the names by which the page may be called ("*": any). Another website whose name leads to this machine
            has none of them.
    """
    named, turns = {model.name: model for model in models}, {model.name: Turns(model) for model in models}
    shown, training, ending = [settings_shown(model) for model in models], TrainingSearch(), asyncio.Event()

    async def list_models(_: Request) -> Response:
        return JSONResponse(shown, headers=HEADERS)

    async def answer(request: Request) -> Response:
        asked = read_request(await _body(request))
        _check_known(asked.forced, named)
        return stream(request, [functools.partial(turns[name].put_into, asked) for name in asked.forced])

    async def seen(request: Request) -> Response:
        asked = read_seen(await _body(request))
        _check_known(asked.models, named)
        return stream(request, [TextSeen(named[name], training, asked.source).put_into for name in asked.models])

    async def look(request: Request) -> Response:
        asked = read_look(await _body(request))
        _check_known([asked.model], named)
        if named[asked.model].predictor.stream is None:
            raise InputError(f"{asked.model} continues no text")
        return JSONResponse(await turns[asked.model].look(asked), headers=HEADERS)

    def stream(request: Request, sources: Sequence[Source]) -> Response:
        events = together(sources, request, ending)
        return StreamingResponse(events, media_type="text/event-stream", headers=HEADERS)

    routes = [
        *(Route(f"/{name}", _file(content, kind)) for name, (content, kind) in _contents().items()),
        Route("/models", list_models),
        *(Route(f"/{call.__name__}", call, methods=["POST"]) for call in (answer, seen, look)),
    ]
    middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))]
    app = Starlette(
        routes=[Mount(f"/{token}", routes=routes)] if token else routes,
        middleware=middleware,
        exception_handlers={InputError: _refused},
    )
    app.state.ending = ending
    return app


def _check_known(names: Iterable[str], models: Mapping[str, PlayedModel]) -> None:
    if not set(names) <= models.keys():
        raise InputError("there is no such model here")


async def _refused(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400, headers=HEADERS)


def _contents() -> Mapping[str, tuple[bytes, str]]:
    return {name: (path.read_bytes(), TYPES[path.suffix]) for name, path in FILES.items()}


def _file(content: bytes, kind: str) -> Any:
    async def send(_: Request) -> Response:
        return Response(content, media_type=kind, headers=HEADERS)

    return send


async def _body(request: Request) -> bytes:
    """The body of a request. It must be JSON: a page of another website cannot send that here unasked.

    Raises:
        InputError: it is not declared as JSON, or too long.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise InputError("the request must have the content type application/json")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_BODY:
            raise InputError(f"the request is longer than {LONGEST_BODY:,} bytes")
    return body


class PlayServer(uvicorn.Server):
    """Ends open streams before it waits for connections to close, which they would keep open."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops serving, once the server has been asked to."""
        self.config.app.state.ending.set()  # type: ignore[union-attr]  # see `play_app`
        await super().shutdown(sockets)


def serve(settings: PlaySettings, bundles: Mapping[str, Path]) -> None:
    """Loads the models and serves the page until it is stopped by Ctrl-C.

    Args:
        bundles: the models' folders by their names.

    Raises:
        InputError: a model cannot be loaded, or the address cannot be used.
        KeyboardInterrupt: it was stopped.
    """
    listening = _listening(settings.host, settings.port)
    models = played_models(bundles, settings.trust)
    torch.set_num_threads(max(1, torch.get_num_threads() // len(models)))  # models answer at the same time
    local = settings.host in LOCAL
    token = "" if local else secrets.token_urlsafe(16)
    app = play_app(models, token, LOCAL if local else ["*"])
    where = f"http://{settings.host}:{listening.getsockname()[1]}/{token and token + '/'}"
    print(f"{plural(len(models), 'model')}; open {where} in a browser; Ctrl-C ends", flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1, lifespan="off")
    server = PlayServer(config)
    server.run(sockets=[listening])
    if server.should_exit:  # uvicorn returns as if nothing had been
        raise KeyboardInterrupt


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"host={host} port={port}: {str(reason).lower()}; port=0 takes a free one") from None
