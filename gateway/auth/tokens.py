"""Signed tokens (JWT) of the platform's identity provider.

The algorithm is fixed by configuration, never taken from the token. Issuer, audience and expiry
are required. See RFC 7519 and RFC 8725 (JWT best current practices)."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
import structlog

from gateway.auth.published_keys import PublishedKeys
from gateway.auth.viewer import ROLE_SCOPES, Role, Viewer, ViewerKind
from gateway.clock import Clock
from gateway.errors import Unauthenticated
from gateway.ids import is_id
from gateway.settings import Settings

_log = structlog.get_logger(__name__)

_LONGEST_TOKEN: Final = 8_192
_END_OF_TIME: Final = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
_KINDS: Final = {
    Role.ADMIN: ViewerKind.PLATFORM,
    Role.OWNER: ViewerKind.AGENCY,
    Role.STAFF: ViewerKind.AGENCY,
    Role.BILLING: ViewerKind.SUB_ACCOUNT,
    Role.MEMBER: ViewerKind.SUB_ACCOUNT,
}


class Tokens:
    """Checks tokens, and signs them where the secret is ours (HS256: demo and tests)."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._published = _published_keys(settings, clock)

    async def viewer(self, token: str) -> Viewer:
        """The proven caller. Raises Unauthenticated, with `expired` when a new token helps."""
        if len(token) > _LONGEST_TOKEN:
            raise Unauthenticated("The token is too long to be one of ours.")
        try:
            claims = await self._verified_claims(token)
        except jwt.PyJWTError as error:
            _log.info("token_refused", reason=type(error).__name__)
            raise Unauthenticated("The token is not valid here. Sign in again.") from None
        self._check_times(claims)
        return _viewer(claims)

    def sign(
        self,
        *,
        subject: str,
        role: Role,
        agency_id: str | None = None,
        sub_account_id: str | None = None,
        lifetime: timedelta,
    ) -> str:
        """A token of our own making; only with HS256, where this process holds the secret."""
        secret = self._settings.token_secret
        assert secret is not None, "only an HS256 gateway can sign tokens"
        now = self._clock()
        claims = {
            "sub": subject,
            "role": role.value,
            "agency": agency_id,
            "sub_account": sub_account_id,
            "iss": self._settings.token_issuer,
            "aud": self._settings.token_audience,
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
        }
        present = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(present, secret.get_secret_value(), algorithm="HS256")

    async def _verified_claims(self, token: str) -> dict[str, Any]:
        settings = self._settings
        if self._published is None:
            assert settings.token_secret is not None
            key: Any = settings.token_secret.get_secret_value()
        else:
            key = await self._published.key_of(token)
        # Times are checked below, against our own clock, so that tests can travel.
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[settings.token_algorithm],
            issuer=settings.token_issuer,
            audience=settings.token_audience,
            options={
                "require": ["exp", "iss", "aud", "sub"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        return claims

    def _check_times(self, claims: dict[str, Any]) -> None:
        now, leeway = self._clock().timestamp(), self._settings.token_leeway_s
        for name in ("exp", "nbf", "iat"):
            if name in claims and not _is_instant(claims[name]):
                raise Unauthenticated("The token's times are not numbers.")
        if claims["exp"] <= now - leeway:
            raise Unauthenticated("The token has expired. Sign in again.", expired=True)
        if max(claims.get("nbf", 0), claims.get("iat", 0)) > now + leeway:
            raise Unauthenticated("The token is not valid yet. Check the clocks.")


def _published_keys(settings: Settings, clock: Clock) -> PublishedKeys | None:
    if settings.token_algorithm == "HS256":  # noqa: S105 - the name of an algorithm
        return None
    assert settings.token_jwks_url is not None, "the settings hold it"
    return PublishedKeys(settings.token_jwks_url, algorithm=settings.token_algorithm, clock=clock)


def _is_instant(value: object) -> bool:
    """A NumericDate that a calendar has. See RFC 7519, section 2."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value < _END_OF_TIME


def _viewer(claims: dict[str, Any]) -> Viewer:
    try:
        role = Role(claims.get("role", ""))
        kind = _KINDS[role]
    except (ValueError, KeyError):
        raise Unauthenticated("The token names no role that exists here.") from None
    agency, sub_account = claims.get("agency"), claims.get("sub_account")
    needs = {
        ViewerKind.PLATFORM: (False, False),
        ViewerKind.AGENCY: (True, False),
        ViewerKind.SUB_ACCOUNT: (True, True),
    }[kind]
    if needs != (_names(agency, "agency"), _names(sub_account, "sub_account")):
        raise Unauthenticated("The token's role and its agency or sub-account do not fit.")
    return Viewer(
        subject=str(claims["sub"])[:200],
        kind=kind,
        role=role,
        scopes=ROLE_SCOPES[role],
        agency_id=agency,
        sub_account_id=sub_account,
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )


def _names(claim: object, noun: str) -> bool:
    if claim is None:
        return False
    if not isinstance(claim, str) or not is_id(claim, noun):
        raise Unauthenticated(f"The token's {noun.replace('_', '-')} is not an id.")
    return True
