"""A stand-in for the platform's identity provider: keys, and a server that publishes them."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AGENCY: Final = "agy_01k9000000000000000000000a"
SUB_ACCOUNT: Final = "sub_01k9000000000000000000000a"
NOW: Final = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)

SECRET: Final = "a-secret-of-the-tests-that-is-long-enough"


def claims(**changes: Any) -> dict[str, Any]:
    """What a good token says; None takes a claim out."""
    good = {
        "sub": "olivia",
        "role": "OWNER",
        "agency": AGENCY,
        "iss": "rebill",
        "aud": "rebill",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 3600,
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def raw_token(header: dict[str, Any], payload: bytes, signature: bytes = b"") -> str:
    """A token put together by hand, as an attacker would."""
    parts = (json.dumps(header).encode(), payload, signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@dataclass(frozen=True)
class SigningKey:
    """A private key of one algorithm, with the name under which it is published."""

    algorithm: str
    name: str
    private: Any

    @property
    def published(self) -> dict[str, Any]:
        writer = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}
        told: dict[str, Any] = writer[self.algorithm].to_jwk(  # type: ignore[attr-defined]
            self.private.public_key(), as_dict=True
        )
        return told | {"kid": self.name, "alg": self.algorithm, "use": "sig"}

    @property
    def public_pem(self) -> bytes:
        pem: bytes = self.private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        return pem

    def sign(self, said: dict[str, Any], **header: Any) -> str:
        return jwt.encode(
            said, self.private, algorithm=self.algorithm, headers={"kid": self.name} | header
        )


def new_key(algorithm: str, name: str) -> SigningKey:
    private: Any = {
        "RS256": lambda: rsa.generate_private_key(65537, 2048),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }[algorithm]()
    return SigningKey(algorithm, name, private)


@dataclass
class Provider:
    """`keys` are what it publishes now; `answer` replaces that by something else."""

    url: str = ""
    keys: list[SigningKey] = field(default_factory=list)
    answer: web.Response | None = None
    asked: int = 0

    async def publish(self, _request: web.Request) -> web.Response:
        self.asked += 1
        if self.answer is not None:
            return web.Response(
                body=self.answer.body, status=self.answer.status, content_type="application/json"
            )
        return web.json_response({"keys": [key.published for key in self.keys]})


@asynccontextmanager
async def identity_provider(*keys: SigningKey) -> AsyncIterator[Provider]:
    """A running provider on 127.0.0.1 that publishes `keys`."""
    provider = Provider(keys=list(keys))
    app = web.Application()
    app.router.add_get("/keys", provider.publish)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
    try:
        yield provider
    finally:
        await runner.cleanup()
