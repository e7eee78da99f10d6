"""Tokens checked with the keys that a login service publishes, also when it rotates or fails."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
from aiohttp import web

from gateway.auth.tokens import Tokens
from gateway.auth.viewer import Role
from gateway.errors import ConflictRetry, Unauthenticated
from gateway.settings import Environment, load_settings
from tests.gateway.auth.identity_provider import (
    NOW,
    Provider,
    SigningKey,
    claims,
    identity_provider,
    new_key,
)

pytestmark = pytest.mark.anyio

RSA_KEY = new_key("RS256", "first")
OTHER_RSA_KEY = new_key("RS256", "second")


class _Travelling:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def _tokens(url: str, clock: _Travelling, algorithm: str = "RS256") -> Tokens:
    return Tokens(
        load_settings(
            environment=Environment.TEST,
            database_url="postgres://db/rebill",
            token_algorithm=algorithm,
            token_jwks_url=url,
            stripe_api_key="sk_test_1",
            stripe_publishable_key="pk_test_1",
            stripe_webhook_secrets=("whsec_1",),
        ),
        clock,
    )


def _long(key: SigningKey) -> str:
    return key.sign(claims(exp=int(NOW.timestamp()) + 7 * 86_400))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_token_of_a_published_key_is_taken(algorithm: str) -> None:
    key = new_key(algorithm, "one")
    async with identity_provider(new_key(algorithm, "other"), key) as provider:
        tokens = _tokens(provider.url, _Travelling(), algorithm)
        viewer = await tokens.viewer(key.sign(claims()))
        assert viewer.role is Role.OWNER
        assert (await tokens.viewer(key.sign(claims(sub="again")))).subject
        assert provider.asked == 1


async def test_a_burst_asks_the_provider_once() -> None:
    async with identity_provider(RSA_KEY) as provider:
        tokens = _tokens(provider.url, _Travelling())
        await asyncio.gather(*(tokens.viewer(RSA_KEY.sign(claims())) for _ in range(20)))
        assert provider.asked == 1


async def test_a_token_of_an_unpublished_key_is_refused() -> None:
    stranger = new_key("RS256", RSA_KEY.name)
    unknown = new_key("RS256", "unknown")
    async with identity_provider(RSA_KEY) as provider:
        tokens = _tokens(provider.url, _Travelling())
        for token in (stranger.sign(claims()), unknown.sign(claims())):
            with pytest.raises(Unauthenticated):
                await tokens.viewer(token)


async def test_the_public_key_cannot_be_used_as_a_shared_secret() -> None:
    # What RFC 8725, section 2.1 warns of: the token chooses HS256, the "secret" is public.
    token = _hmac_with(RSA_KEY.public_pem, claims(), RSA_KEY.name)
    async with identity_provider(RSA_KEY) as provider:
        with pytest.raises(Unauthenticated):
            await _tokens(provider.url, _Travelling()).viewer(token)


def _hmac_with(secret: bytes, said: dict[str, Any], name: str) -> str:
    class Careless(jwt.algorithms.HMACAlgorithm):
        """Takes a public key for a secret, which the library refuses."""

        def prepare_key(self, key: Any) -> bytes:
            return bytes(key)

    signer = jwt.PyJWS()
    signer.unregister_algorithm("HS256")
    signer.register_algorithm("HS256", Careless(Careless.SHA256))
    body = json.dumps(said).encode()
    return signer.encode(body, secret, algorithm="HS256", headers={"kid": name})


async def test_a_key_of_another_algorithm_is_not_used() -> None:
    curve = new_key("ES256", "curve")
    async with identity_provider(curve, RSA_KEY) as provider:
        tokens = _tokens(provider.url, _Travelling())
        with pytest.raises(Unauthenticated):
            await tokens.viewer(curve.sign(claims()))
        with pytest.raises(Unauthenticated):
            await tokens.viewer(RSA_KEY.sign(claims(), kid="curve"))
        assert (await tokens.viewer(RSA_KEY.sign(claims()))).subject


@pytest.mark.parametrize("kid", [7, ["first"], {"first": 1}, True], ids=str)
async def test_a_key_name_that_is_no_text_is_refused(kid: Any) -> None:
    async with identity_provider(RSA_KEY) as provider:
        token = _with_header(RSA_KEY, kid)
        with pytest.raises(Unauthenticated):
            await _tokens(provider.url, _Travelling()).viewer(token)


def _with_header(key: SigningKey, kid: Any) -> str:
    signer = jwt.PyJWS()
    signer._validate_kid = lambda _kid: None  # type: ignore[method-assign,assignment]
    body = json.dumps(claims()).encode()
    return signer.encode(body, key.private, algorithm="RS256", headers={"kid": kid})


async def test_a_rotated_key_is_taken_at_once_and_the_old_one_no_longer() -> None:
    clock = _Travelling()
    async with identity_provider(RSA_KEY) as provider:
        tokens = _tokens(provider.url, clock)
        assert (await tokens.viewer(_long(RSA_KEY))).subject
        provider.keys = [OTHER_RSA_KEY]
        clock.now += timedelta(seconds=11)
        assert (await tokens.viewer(_long(OTHER_RSA_KEY))).subject
        with pytest.raises(Unauthenticated):
            await tokens.viewer(_long(RSA_KEY))
        assert provider.asked == 2


async def test_a_key_taken_back_ends_within_ten_minutes() -> None:
    clock = _Travelling()
    async with identity_provider(RSA_KEY, OTHER_RSA_KEY) as provider:
        tokens = _tokens(provider.url, clock)
        assert (await tokens.viewer(_long(RSA_KEY))).subject
        provider.keys = [OTHER_RSA_KEY]
        clock.now += timedelta(minutes=10)
        with pytest.raises(Unauthenticated):
            await tokens.viewer(_long(RSA_KEY))


async def test_made_up_key_names_do_not_become_a_load() -> None:
    async with identity_provider(RSA_KEY) as provider:
        tokens = _tokens(provider.url, _Travelling())
        for number in range(20):
            with pytest.raises(Unauthenticated):
                await tokens.viewer(RSA_KEY.sign(claims(), kid=f"made-up-{number}"))
        assert provider.asked == 1


_BROKEN = {
    "error": web.Response(status=503),
    "no JSON": web.Response(body=b"<html>"),
    "not UTF-8": web.Response(body=b"\xff\xfe{}"),
    "a list": web.Response(body=b"[]"),
    "null": web.Response(body=b"null"),
    "no keys": web.Response(body=b"{}"),
    "no list of keys": web.Response(body=b'{"keys": {"a": 1}}'),
    "keys of no kind": web.Response(body=b'{"keys": [7, {}, {"kty": "moon"}]}'),
}


@pytest.mark.parametrize("broken", _BROKEN.values(), ids=_BROKEN)
async def test_without_any_key_the_caller_is_asked_to_come_again(broken: web.Response) -> None:
    clock = _Travelling()
    async with identity_provider(RSA_KEY) as provider:
        provider.answer = broken
        tokens = _tokens(provider.url, clock)
        for _ in range(3):
            with pytest.raises(ConflictRetry):
                await tokens.viewer(RSA_KEY.sign(claims()))
        assert provider.asked == 1
        provider.answer = None
        clock.now += timedelta(seconds=11)
        assert (await tokens.viewer(RSA_KEY.sign(claims()))).subject


@pytest.mark.parametrize("broken", _BROKEN.values(), ids=_BROKEN)
async def test_an_outage_locks_nobody_out_whose_key_is_known(broken: web.Response) -> None:
    clock = _Travelling()
    async with identity_provider(RSA_KEY) as provider:
        tokens = _tokens(provider.url, clock)
        assert (await tokens.viewer(_long(RSA_KEY))).subject
        provider.answer = broken
        clock.now += timedelta(minutes=11)
        assert (await tokens.viewer(_long(RSA_KEY))).subject
        assert provider.asked == 2
        with pytest.raises(ConflictRetry):
            await tokens.viewer(_long(OTHER_RSA_KEY))


async def test_an_unreachable_provider_is_no_fault_of_the_caller() -> None:
    async with identity_provider(RSA_KEY) as provider:
        gone: Provider = provider
    with pytest.raises(ConflictRetry, match="Send it again"):
        await _tokens(gone.url, _Travelling()).viewer(RSA_KEY.sign(claims()))
