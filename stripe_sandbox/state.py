"""The state of one local Stripe: objects, clock, ids and the settings that shape its answers."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from stripe_sandbox.errors import Json, missing
from stripe_sandbox.storage import Store

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What differs between sandboxes. Times in seconds, fees in minor units and per mille."""

    platform_account: str = "acct_sandboxplatform"
    client_id: str = "ca_sandbox"
    fee_per_mille: int = 29
    fee_fixed_minor: int = 30
    dispute_fee_minor: int = 1500
    later_s: float | None = 2.0
    """How long bank debits and test refunds stay undecided; None: until told to go on."""
    retry_first_s: float = 0.25
    retry_longest_s: float = 30.0
    retry_attempts: int = 20
    webhook_timeout_s: float = 10.0
    log_size: int = 10_000


@dataclass
class State:
    """Everything a local Stripe remembers. All changes happen in one event loop."""

    store: Store
    seed: int | None = None
    settings: Settings = field(default_factory=Settings)
    base_url: str = "http://127.0.0.1"
    request: Json = field(default_factory=lambda: {"id": None, "idempotency_key": None})
    """The API request that is being executed: events name it as their origin."""
    outgoing: list[Json] = field(default_factory=list)
    """Webhook deliveries that were made since the last commit."""
    after_commit: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        meta = self.store.meta
        if self.seed is not None:
            meta["seed"] = str(self.seed)
        meta.setdefault("seed", secrets.token_hex(8))
        meta.setdefault("count", 0)
        meta.setdefault("clock_ahead_s", 0.0)

    def clock(self) -> float:
        """Seconds since 1970 on the sandbox's clock, which tests can advance."""
        return time.time() + float(self.store.meta["clock_ahead_s"])

    def now(self) -> int:
        """Whole seconds since 1970 on the sandbox's clock."""
        return int(self.clock())

    def token(self, length: int = 24) -> str:
        """Letters and digits that are never given twice and depend only on seed and order."""
        meta = self.store.meta
        meta["count"] += 1
        source = f"{meta['seed']}:{meta['count']}".encode()
        number = int.from_bytes(hashlib.blake2b(source, digest_size=40).digest())
        text = ""
        for _ in range(length):
            number, digit = divmod(number, 62)
            text += _ALPHABET[digit]
        return text

    def new_id(self, prefix: str) -> str:
        """A fresh id such as `ch_…`."""
        return f"{prefix}_{self.token()}"

    def commit(self) -> None:
        """Make all changes durable, then let go what they cause outside (webhooks, timers)."""
        self.store.commit()
        self.after_commit()

    def save(self, account: str, record: Json) -> Json:
        """Store an object of an account; a field with a leading underscore is never shown."""
        self.store.put(account, record)
        return record

    def load(
        self, account: str, kind: str, object_id: str, *, param: str = "id", status: int = 404
    ) -> Json:
        """An object of an account. Raises ApiError resource_missing, also for a foreign id."""
        record = self.store.get(account, kind, object_id)
        if record is None:
            raise missing(kind.lstrip("_"), object_id, param=param, status=status)
        return record

    def refer(self, account: str, kind: str, object_id: str, param: str) -> Json:
        """An object named by a parameter: as `load`, but the fault of the request is a 400."""
        return self.load(account, kind, object_id, param=param, status=400)


def copy(record: Json) -> Json:
    """A deep copy of plain JSON."""
    result: Json = orjson.loads(orjson.dumps(record))
    return result


def public(record: Json) -> Json:
    """The fields that Stripe shows."""
    return {name: value for name, value in record.items() if not name.startswith("_")}


def half_up(numerator: int, denominator: int) -> int:
    """numerator / denominator, rounded half up; both ≥ 0."""
    return (2 * numerator + denominator) // (2 * denominator)
