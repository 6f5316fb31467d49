"""Sweeps of a simulated training, in the test's folder, and servers that keep studies."""

import itertools
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import optuna
import pytest
from optuna.storages import run_grpc_proxy_server
from support import free_port
from sweeper_support.simulation import controller, executor

from hydra_pruning_sweeper.execution.executor import ForkExecutor


@pytest.fixture(autouse=True)
def _quiet_optuna():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(scope="session")
def shared():
    """An executor that all tests share, as its server takes a second to start: it closes when all are over."""

    class Shared(ForkExecutor):
        def close(self):
            pass

    one = executor(Shared)
    yield one
    ForkExecutor.close(one)


@pytest.fixture
def sweep(tmp_path, shared):
    """Runs a simulated sweep and gives its controller."""

    def run(**options):
        one = controller(tmp_path, **{"executor": lambda: shared, **options})
        one.run()
        return one

    return run


@pytest.fixture(scope="session")
def database_server():
    """A PostgreSQL server of one's own, as the URL of its first database; root runs it as its user `postgres`."""
    driver = pytest.importorskip("psycopg")
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.skip("no PostgreSQL in /usr/lib/postgresql (apt-get install postgresql)")
    folder, port = Path(tempfile.mkdtemp()), free_port()
    if root := os.geteuid() == 0:
        shutil.chown(folder, "postgres")

    def run(program, *arguments):
        before = ["runuser", "-u", "postgres", "--"] if root else []
        line = [*before, programs[-1] / program, "-D", folder / "data", *arguments]
        subprocess.run(line, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=60)

    run("initdb", "-A", "trust", "-U", "seqlab", "--no-sync")
    own = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run("pg_ctl", "-o", own, "-l", folder / "log", "-w", "start")
    yield driver, f"postgresql://seqlab@127.0.0.1:{port}/"
    run("pg_ctl", "-m", "immediate", "stop")
    shutil.rmtree(folder)


numbers = itertools.count()


@pytest.fixture
def postgresql(database_server):
    """The URL of an empty database."""
    driver, server = database_server
    name = f"searches{next(numbers)}"
    with driver.connect(f"{server}postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server + name


@pytest.fixture
def grpc_proxy():
    """The URL of a gRPC proxy; what it keeps is in its memory."""
    port = free_port()
    storage = optuna.storages.InMemoryStorage()
    threading.Thread(
        target=run_grpc_proxy_server, args=(storage,), kwargs={"host": "127.0.0.1", "port": port}, daemon=True
    ).start()
    proxy = optuna.storages.GrpcStorageProxy(host="127.0.0.1", port=port)
    proxy.wait_server_ready(timeout=30)
    return f"grpc://127.0.0.1:{port}"
