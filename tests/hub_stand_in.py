"""A stand-in for the Hugging Face hub: a server of this machine with the addresses that `huggingface_hub` asks for."""

import base64
import hashlib
import json
import os
import re
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

WRITES, READS = "hf_writes", "hf_reads"
"""Two tokens: one that may write to repositories of `me`, one that may only read."""
OWNER = "me"


@dataclass
class Repository:
    """The commits of a repository, each with all of its files, and the names of some of them."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    revisions: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes]) -> str:
        """Adds files to the newest commit; returns the hash of what comes out."""
        content = {**self.commits.get(self.revisions.get("main", ""), {}), **files}
        number = hashlib.sha1(repr((len(self.commits), sorted(content.items()))).encode()).hexdigest()
        self.commits[number] = content
        self.revisions["main"] = number
        return number

    def found(self, revision: str) -> str | None:
        """The hash of a branch, tag or commit."""
        return self.revisions.get(revision, revision if revision in self.commits else None)


@dataclass
class HubStandIn:
    """The service: its repositories, what was uploaded beside a commit (LFS), and what it was asked."""

    address: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(self, name: str, files: dict[str, bytes]) -> str:
        """Makes a repository with files; returns the hash of its commit."""
        return self.repositories.setdefault(name, Repository()).commit(files)


def set_environment(changes: dict[str, str]) -> None:
    """Sets variables in a new process, and has `huggingface_hub` imported again, which reads them then."""
    os.environ.update(changes)
    for name in [name for name in sys.modules if name.partition(".")[0] == "huggingface_hub"]:
        del sys.modules[name]


@contextmanager
def served_hub():
    """A running stand-in."""
    hub = HubStandIn()

    class Handler(_Handler):
        service = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    service: HubStandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):  # the names that http.server calls
        self._answer()

    def do_HEAD(self):
        self._answer()

    def do_POST(self):
        self._answer()

    def do_PUT(self):
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(urlsplit(self.path).path)
        self.service.asked.append(f"{self.command} {path}")
        for pattern, name in ROUTES:
            if found := re.fullmatch(pattern, f"{self.command} {path}"):
                getattr(self, name)(body, *found.groups())
                return
        self._json({"error": "no such address"}, 404)

    # What is read

    def _info(self, body: bytes, repo: str, revision: str | None) -> None:
        if (known := self._repository(repo)) and (number := self._commit(known, revision or "main")):
            self._json({"id": repo, "sha": number, "private": False, "tags": [], "siblings": []})

    def _tree(self, body: bytes, repo: str, revision: str) -> None:
        if (known := self._repository(repo)) and (number := self._commit(known, revision)):
            files = known.commits[number].items()
            self._json([{"type": "file", "path": name, "size": len(data), "oid": _hash(data)} for name, data in files])

    def _file(self, body: bytes, repo: str, revision: str, name: str) -> None:
        if not (known := self._repository(repo)) or not (number := self._commit(known, revision)):
            return
        if (data := known.commits[number].get(name)) is None:
            self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
            return
        self._send(200, data, {"ETag": f'"{_hash(data)}"', "X-Repo-Commit": number})

    # What is written

    def _create(self, body: bytes) -> None:
        asked = json.loads(body)
        if not self._may_write(asked["organization"]):
            return
        repo = f"{asked['organization']}/{asked['name']}"
        there = repo in self.service.repositories
        if not there:
            self.service.add(repo, {".gitattributes": b"*.safetensors filter=lfs\n"})
        self._json({"url": f"{self.service.address}/{repo}"}, 409 if there else 200)

    def _check_card(self, body: bytes) -> None:
        begins = json.loads(body)["content"].startswith("---\n")
        self._json({"errors": [] if begins else [{"message": "no metadata"}], "warnings": []}, 200 if begins else 400)

    def _upload_modes(self, body: bytes, repo: str, revision: str) -> None:
        if self._repository(repo) and self._may_write(repo.partition("/")[0]):
            names = [one["path"] for one in json.loads(body)["files"]]
            modes = ["lfs" if name.endswith(".safetensors") else "regular" for name in names]
            files = [
                {"path": name, "uploadMode": mode, "shouldIgnore": False, "oid": None}
                for name, mode in zip(names, modes, strict=True)
            ]
            self._json({"files": files})

    def _large_files(self, body: bytes, repo: str) -> None:
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.service.address}/large/{one['oid']}"}}}
            for one in json.loads(body)["objects"]
        ]
        self._json({"transfer": "basic", "objects": objects})

    def _large_file(self, body: bytes, number: str) -> None:
        self.service.large[number] = body
        self._send(200, b"", {})

    def _take_commit(self, body: bytes, repo: str, revision: str) -> None:
        if not (known := self._repository(repo)) or not self._may_write(repo.partition("/")[0]):
            return
        files = {}
        for entry in map(json.loads, body.splitlines()):
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.service.large[value["oid"]]
        number = known.commit(files)
        self._json({"commitUrl": f"{self.service.address}/{repo}/commit/{number}", "commitOid": number})

    # Answers

    def _repository(self, repo: str) -> Repository | None:
        if (known := self.service.repositories.get(repo)) is None:
            self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        return known

    def _commit(self, known: Repository, revision: str) -> str | None:
        if (number := known.found(revision)) is None:
            self._json({"error": "Revision not found"}, 404, {"X-Error-Code": "RevisionNotFound"})
        return number

    def _may_write(self, owner: str) -> bool:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in (WRITES, READS):
            self._json({"error": "Invalid username or password."}, 401)
        elif token == READS or owner != OWNER:
            self._json({"error": "You don't have the rights to create a model here"}, 403)
        else:
            return True
        return False

    def _json(self, content: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _hash(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


REPO = r"([\w.-]+/[\w.-]+)"
ROUTES = [
    (r"POST /api/repos/create", "_create"),
    (r"POST /api/validate-yaml", "_check_card"),
    (rf"POST /api/models/{REPO}/preupload/(.+)", "_upload_modes"),
    (rf"POST /{REPO}\.git/info/lfs/objects/batch", "_large_files"),
    (r"PUT /large/(\w+)", "_large_file"),
    (rf"POST /api/models/{REPO}/commit/(.+)", "_take_commit"),
    (rf"GET /api/models/{REPO}/tree/(.+)", "_tree"),
    (rf"GET /api/models/{REPO}(?:/revision/(.+))?", "_info"),
    (rf"(?:GET|HEAD) /{REPO}/resolve/([^/]+)/(.+)", "_file"),
]
"""Which method answers which request; the patterns' groups are its arguments after the body."""
