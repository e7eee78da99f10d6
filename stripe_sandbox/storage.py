"""Where objects live: in memory, and with a data directory also in one sqlite file.

Every object is a dict with "object" (its kind) and "id". A commit writes all changes since the last
one in a single sqlite transaction, before the answer leaves, so a killed process loses nothing that
a caller has seen.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from stripe_sandbox.errors import Json

if TYPE_CHECKING:
    from _collections_abc import dict_values

PLATFORM: Final = "platform"
_Key = tuple[str, str, str]


class Store:
    """Objects by account, kind and id, in the order of their creation."""

    def __init__(self, data_dir: Path | None = None) -> None:
        self.meta: Json = {}
        self._tables: dict[tuple[str, str], dict[str, Json]] = {}
        self._places: dict[str, tuple[str, str]] = {}
        self._dirty: dict[_Key, Json | None] = {}
        self._stored_meta = b""
        self._file: sqlite3.Connection | None = None
        if data_dir is not None:
            data_dir.mkdir(parents=True, exist_ok=True)
            self._file = _open(data_dir / "stripe_sandbox.sqlite3")
            self._load(self._file)

    def put(self, account: str, record: Json) -> None:
        """Store a new object or the new state of one. Durable after the next commit."""
        kind, object_id = record["object"], record["id"]
        self._tables.setdefault((account, kind), {})[object_id] = record
        self._places[object_id] = (account, kind)
        self._dirty[account, kind, object_id] = record

    def drop(self, account: str, kind: str, object_id: str) -> None:
        """Forget an object."""
        if self._tables.get((account, kind), {}).pop(object_id, None) is not None:
            self._places.pop(object_id, None)
            self._dirty[account, kind, object_id] = None

    def get(self, account: str, kind: str, object_id: str) -> Json | None:
        """The object, or None when this account has none of that id."""
        return self._tables.get((account, kind), {}).get(object_id)

    def rows(self, account: str, kind: str) -> dict_values[str, Json]:
        """All objects of a kind in an account, oldest first."""
        return self._tables.get((account, kind), {}).values()

    def everywhere(self, kind: str) -> list[tuple[str, Json]]:
        """All objects of a kind with their accounts."""
        return [
            (account, record)
            for (account, held), table in list(self._tables.items())
            if held == kind
            for record in list(table.values())
        ]

    def find(self, object_id: str) -> tuple[str, Json] | None:
        """The account and the object of an id, wherever it lives."""
        place = self._places.get(object_id)
        return (place[0], self._tables[place][object_id]) if place else None

    def commit(self) -> None:
        """Make everything since the last commit durable. Nothing to do without a data directory."""
        if self._file is None:
            self._dirty.clear()
            return
        meta = orjson.dumps(self.meta)
        if not self._dirty and meta == self._stored_meta:
            return
        with self._file:
            self._write(self._file, meta)
        self._stored_meta = meta
        self._dirty.clear()

    def close(self) -> None:
        """Commit and let the file go."""
        self.commit()
        if self._file is not None:
            self._file.close()

    def _write(self, file: sqlite3.Connection, meta: bytes) -> None:
        gone = [key for key, record in self._dirty.items() if record is None]
        kept = [(*k, orjson.dumps(r)) for k, r in self._dirty.items() if r is not None]
        # An update must keep its row: seq is the order of creation.
        file.executemany(
            "INSERT INTO objects (account, kind, id, body) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (account, kind, id) DO UPDATE SET body = excluded.body",
            kept,
        )
        file.executemany("DELETE FROM objects WHERE account = ? AND kind = ? AND id = ?", gone)
        file.execute("INSERT OR REPLACE INTO meta VALUES ('meta', ?)", (meta,))

    def _load(self, file: sqlite3.Connection) -> None:
        for account, kind, object_id, body in file.execute(
            "SELECT account, kind, id, body FROM objects ORDER BY seq"
        ):
            self._tables.setdefault((account, kind), {})[object_id] = orjson.loads(body)
            self._places[object_id] = (account, kind)
        row: tuple[Any, ...] | None = file.execute("SELECT body FROM meta").fetchone()
        if row is not None:
            self._stored_meta = row[0]
            self.meta = orjson.loads(row[0])


def _open(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, check_same_thread=False)
    file.execute("PRAGMA journal_mode = WAL")
    # Survives a killed process; only a power cut could lose the last commits of a test server.
    file.execute("PRAGMA synchronous = NORMAL")
    file.executescript(
        "CREATE TABLE IF NOT EXISTS objects (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
        " account TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,"
        " UNIQUE (account, kind, id));"
        "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, body BLOB NOT NULL);"
    )
    return file
