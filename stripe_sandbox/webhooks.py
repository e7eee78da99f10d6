"""Sending events: signed, concurrent, retried with growing pauses, never in a caller's way.

Source: Stripe, "Receive Stripe events in your webhook endpoint" (signature scheme, retries).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from stripe_sandbox.errors import Json
from stripe_sandbox.faults import Faults
from stripe_sandbox.state import State, public
from stripe_sandbox.storage import PLATFORM

_TOO_OLD_S = 3600


def signature(payload: bytes, secret: str, at: int) -> str:
    """The value of the Stripe-Signature header for a payload sent at `at` (seconds since 1970)."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


@dataclass
class Webhooks:
    """The sender of one sandbox. `attempts` lists what was tried, for tests and the overview."""

    state: State
    faults: Faults
    attempts: list[Json] = field(default_factory=list)
    _held: list[Json] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open connections and take up deliveries that an earlier process left unfinished."""
        timeout = aiohttp.ClientTimeout(total=self.state.settings.webhook_timeout_s)
        self._session = aiohttp.ClientSession(
            timeout=timeout, connector=aiohttp.TCPConnector(limit=64)
        )
        self.state.outgoing.clear()
        for _, delivery in self.state.store.everywhere("_delivery"):
            self._spawn(self._send(delivery))

    async def stop(self) -> None:
        """Stop sending; what is unfinished stays stored."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def pump(self) -> None:
        """Start what the last commit made ready. Called after each commit."""
        ready, self.state.outgoing[:] = list(self.state.outgoing), []
        for delivery in ready:
            self._begin(delivery)

    def release(self, *, shuffle_seed: int | None = None) -> int:
        """Send everything that a "hold" fault kept, in random order when a seed is given.
        Returns how many."""
        held, self._held = self._held, []
        if shuffle_seed is not None:
            random.Random(shuffle_seed).shuffle(held)  # noqa: S311 - repeatable, not secret
        for delivery in held:
            self._spawn(self._send(delivery))
        return len(held)

    def resend(self, event_id: str) -> int:
        """Send one event again to every endpoint that takes it now. Returns how many."""
        found = self.state.store.find(event_id)
        if found is None or found[1]["object"] != "event":
            return 0
        account, event = found
        connect = account != PLATFORM
        endpoints = [
            endpoint
            for endpoint in self.state.store.rows(PLATFORM, "webhook_endpoint")
            if endpoint["_connect"] == connect and endpoint["status"] == "enabled"
        ]
        for endpoint in endpoints:
            self._spawn(self._post(event, endpoint))
        return len(endpoints)

    def pending(self) -> int:
        """How many deliveries have not succeeded yet, held and dropped ones included."""
        return len(self.state.store.everywhere("_delivery"))

    def _begin(self, delivery: Json) -> None:
        faults = {fault.kind: fault for fault in self.faults.take_webhook(delivery["type"])}
        if "drop" in faults:
            return
        if "hold" in faults:
            self._held.append(delivery)
            return
        delay_s = faults["delay"].seconds if "delay" in faults else 0.0
        first = set(faults)
        for _ in range(2 if "duplicate" in faults else 1):
            self._spawn(self._send(delivery, first=first, delay_s=delay_s))

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(
        self, delivery: Json, *, first: Iterable[str] = (), delay_s: float = 0.0
    ) -> None:
        settings = self.state.settings
        store = self.state.store
        await asyncio.sleep(delay_s)
        while delivery["attempts"] < settings.retry_attempts:
            found = store.find(delivery["event"])
            endpoint = store.get(PLATFORM, "webhook_endpoint", delivery["endpoint"])
            if found is None or endpoint is None or endpoint["status"] != "enabled":
                break
            if await self._post(found[1], endpoint, first):
                self._delivered(delivery, *found)
                return
            first = ()
            delivery["attempts"] += 1
            if store.get(PLATFORM, "_delivery", delivery["id"]) is None:
                return  # its twin arrived
            self.state.save(PLATFORM, delivery)
            self.state.commit()
            pause_s = settings.retry_first_s * 2 ** (delivery["attempts"] - 1)
            await asyncio.sleep(min(pause_s, settings.retry_longest_s))
        store.drop(PLATFORM, "_delivery", delivery["id"])
        self.state.commit()

    def _delivered(self, delivery: Json, account: str, event: Json) -> None:
        store = self.state.store
        if store.get(PLATFORM, "_delivery", delivery["id"]) is None:
            return
        store.drop(PLATFORM, "_delivery", delivery["id"])
        event["pending_webhooks"] = max(0, event["pending_webhooks"] - 1)
        self.state.save(account, event)
        self.state.commit()

    async def _post(self, event: Json, endpoint: Json, faults: Iterable[str] = ()) -> bool:
        assert self._session is not None, "start() comes first"
        payload = orjson.dumps(public(event))
        # The wall clock, not the sandbox's: the receiver compares with its own time.
        at = int(time.time()) - (_TOO_OLD_S if "old_timestamp" in faults else 0)
        secret = "whsec_wrong" if "bad_signature" in faults else endpoint["_secret"]
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(payload, secret, at),
            "User-Agent": "Stripe/1.0 (local sandbox)",
        }
        status = 0
        try:
            async with self._session.post(
                endpoint["url"], data=payload, headers=headers, allow_redirects=False
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError):
            pass
        finally:
            self._note(event, endpoint, status)
        return 200 <= status < 300

    def _note(self, event: Json, endpoint: Json, status: int) -> None:
        self.attempts.append(
            {
                "event": event["id"],
                "type": event["type"],
                "endpoint": endpoint["id"],
                "status": status,
            }
        )
        del self.attempts[: -self.state.settings.log_size]
