"""The public keys that the identity provider publishes (JWKS, RFC 7517)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

import aiohttp
import jwt
import structlog
from aiocache import SimpleMemoryCache

from gateway.clock import Clock
from gateway.errors import ConflictRetry

_log = structlog.get_logger(__name__)

_FRESH: Final = timedelta(minutes=10)
_SHORTEST_PAUSE: Final = timedelta(seconds=10)
_LONGEST_USE_S: Final = 24 * 3600
_TIMEOUT_S: Final = 5


class PublishedKeys:
    """Fetched without blocking and kept. A key that is not known yet is asked for at once, so that
    a rotation locks nobody out; an outage of the provider does not for a day."""

    def __init__(self, url: str, *, algorithm: str, clock: Clock) -> None:
        self._url, self._algorithm, self._clock = url, algorithm, clock
        self._cache = SimpleMemoryCache(ttl=_LONGEST_USE_S)
        self._asking = asyncio.Lock()
        self._asked_at: datetime | None = None
        self._read_at: datetime | None = None

    async def key_of(self, token: str) -> Any:
        """The public key that the token names. Raises jwt.PyJWTError when there is none, and
        ConflictRetry when that cannot be known because the provider does not answer."""
        name = jwt.get_unverified_header(token).get("kid")
        key = await self._known(name)
        if key is None or (self._is_old() and not self._asking.locked()):
            await self._ask()
            key = await self._known(name)
        if key is not None:
            return key
        if self._read_at != self._asked_at:
            raise ConflictRetry("The keys of the login service cannot be read now. Send it again.")
        raise jwt.InvalidKeyError("no published key has the token's kid")

    async def _known(self, name: object) -> Any:
        keys: list[jwt.PyJWK] = await self._cache.get("keys") or []
        # A key of another algorithm is not for these tokens, whatever its name.
        fitting = [key for key in keys if key.algorithm_name == self._algorithm]
        return next((key.key for key in fitting if name is None or key.key_id == name), None)

    def _is_old(self) -> bool:
        return self._read_at is None or self._clock() - self._read_at >= _FRESH

    async def _ask(self) -> None:
        """At most once in a while: tokens with made-up key names must not become a load."""
        async with self._asking:
            now = self._clock()
            if self._asked_at is not None and now - self._asked_at < _SHORTEST_PAUSE:
                return
            self._asked_at = now
            keys = await self._fetch()
            if keys is not None:
                self._read_at = now
                await self._cache.set("keys", keys)

    async def _fetch(self) -> list[jwt.PyJWK] | None:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(self._url) as answer,
            ):
                answer.raise_for_status()
                published = await answer.json(content_type=None)
                if not isinstance(published, dict):
                    raise TypeError("a key set is an object")
                return jwt.PyJWKSet.from_dict(published).keys
        except (
            aiohttp.ClientError,
            TimeoutError,
            TypeError,
            ValueError,
            jwt.PyJWTError,
        ) as error:
            _log.warning("token_keys_unavailable", reason=type(error).__name__)
            return None
