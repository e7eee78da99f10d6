"""Only a token of our issuer, for us, of now, with a role that fits its tenant, proves a caller."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
import pytest

from gateway.auth.tokens import Tokens
from gateway.auth.viewer import Role, Scope, Viewer, ViewerKind
from gateway.errors import RequestErrorCode, Unauthenticated
from gateway.settings import Environment, Settings, load_settings
from tests.gateway.auth.identity_provider import (
    AGENCY,
    NOW,
    SECRET,
    SUB_ACCOUNT,
    claims,
    new_key,
    raw_token,
)

pytestmark = pytest.mark.anyio

_SECOND: Final = timedelta(seconds=1)


def _settings(**changes: object) -> Settings:
    values: dict[str, object] = {
        "environment": Environment.TEST,
        "database_url": "postgres://db/rebill",
        "token_algorithm": "HS256",
        "token_secret": SECRET,
        "stripe_api_key": "sk_test_1",
        "stripe_publishable_key": "pk_test_1",
        "stripe_webhook_secrets": ("whsec_1",),
    }
    return load_settings(**(values | changes))


def _tokens(now: datetime = NOW) -> Tokens:
    return Tokens(_settings(), lambda: now)


def _signed(**changes: Any) -> str:
    return jwt.encode(claims(**changes), SECRET, algorithm="HS256")


async def _refusal(token: str, tokens: Tokens | None = None) -> Unauthenticated:
    with pytest.raises(Unauthenticated) as refused:
        await (tokens or _tokens()).viewer(token)
    assert refused.value.code is RequestErrorCode.UNAUTHENTICATED
    assert SECRET not in refused.value.message
    assert token not in refused.value.message
    return refused.value


async def test_a_good_token_proves_its_caller() -> None:
    assert await _tokens().viewer(_signed()) == Viewer(
        subject="olivia",
        kind=ViewerKind.AGENCY,
        role=Role.OWNER,
        scopes=frozenset(Scope),
        agency_id=AGENCY,
        sub_account_id=None,
        expires_at=NOW + timedelta(hours=1),
    )


@pytest.mark.parametrize(
    ("said", "kind", "scopes"),
    [
        ({"role": "ADMIN", "agency": None}, ViewerKind.PLATFORM, set(Scope)),
        ({"role": "STAFF"}, ViewerKind.AGENCY, {Scope.READ, Scope.MANAGE}),
        (
            {"role": "BILLING", "sub_account": SUB_ACCOUNT},
            ViewerKind.SUB_ACCOUNT,
            {Scope.READ, Scope.PURCHASE},
        ),
        ({"role": "MEMBER", "sub_account": SUB_ACCOUNT}, ViewerKind.SUB_ACCOUNT, {Scope.READ}),
    ],
    ids=["admin", "staff", "billing", "member"],
)
async def test_a_role_brings_its_scopes(
    said: dict[str, Any], kind: ViewerKind, scopes: set[Scope]
) -> None:
    viewer = await _tokens().viewer(_signed(**said))
    assert viewer.kind is kind
    assert set(viewer.scopes) == scopes
    assert viewer.agency_id == (None if kind is ViewerKind.PLATFORM else AGENCY)
    assert viewer.sub_account_id == said.get("sub_account")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another"},
        {"aud": ["another", "third"]},
        {"aud": None},
        {"aud": 7},
        {"iss": "another"},
        {"iss": None},
        {"sub": None},
        {"exp": None},
        {"role": None},
        {"role": "EMPEROR"},
        {"role": "owner"},
        {"role": ["OWNER"]},
        {"role": {"OWNER": 1}},
        {"role": 1},
        # A key is no person: nobody can sign one.
        {"role": "SERVICE"},
        {"agency": None},
        {"agency": "agy_short"},
        {"agency": AGENCY.upper()},
        {"agency": SUB_ACCOUNT},
        {"agency": [AGENCY]},
        {"agency": ""},
        {"agency": f"{AGENCY}' OR true --"},
        {"role": "OWNER", "sub_account": SUB_ACCOUNT},
        {"role": "STAFF", "sub_account": SUB_ACCOUNT},
        {"role": "ADMIN"},
        {"role": "ADMIN", "agency": None, "sub_account": SUB_ACCOUNT},
        {"role": "BILLING"},
        {"role": "BILLING", "agency": None, "sub_account": SUB_ACCOUNT},
        {"role": "MEMBER", "sub_account": AGENCY},
        {"role": "MEMBER", "sub_account": 5},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": [NOW.timestamp() + 60]},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 10**30},
        {"exp": -1},
        {"nbf": "yesterday"},
        {"nbf": float("nan")},
        {"iat": "yesterday"},
        {"iat": {}},
    ],
    ids=str,
)
async def test_claims_that_do_not_hold_are_refused(changes: dict[str, Any]) -> None:
    # jwt.encode has opinions on some of these; an attacker's library has none.
    body = json.dumps(claims(**changes)).encode()
    token = jwt.api_jws.encode(body, SECRET, algorithm="HS256")
    assert not (await _refusal(token)).expired


async def test_a_token_ends_at_its_second_and_says_so() -> None:
    end = NOW + timedelta(hours=1)
    leeway = timedelta(seconds=_settings().token_leeway_s)
    token = _signed()
    assert (await _tokens(end + leeway - _SECOND).viewer(token)).subject
    refused = await _refusal(token, _tokens(end + leeway))
    assert refused.expired
    assert refused.message == "The token has expired. Sign in again."


@pytest.mark.parametrize("claim", ["nbf", "iat"])
async def test_a_token_of_the_future_is_refused(claim: str) -> None:
    leeway_s = _settings().token_leeway_s
    assert (await _tokens().viewer(_signed(**{claim: int(NOW.timestamp()) + leeway_s}))).subject
    refused = await _refusal(_signed(**{claim: int(NOW.timestamp()) + leeway_s + 1}))
    assert not refused.expired


@pytest.mark.parametrize(
    "forge",
    [
        lambda said: raw_token({"alg": "none", "typ": "JWT"}, said),
        lambda said: raw_token({"alg": "None", "typ": "JWT"}, said),
        lambda said: raw_token({"alg": "nOnE"}, said, b"signature"),
        lambda said: raw_token({"typ": "JWT"}, said),
        lambda said: raw_token({"alg": "HS256"}, said),
        lambda said: raw_token({"alg": "HS256"}, said, b"x" * 32),
        lambda said: raw_token({"alg": ["HS256"]}, said, b"x" * 32),
        lambda said: jwt.api_jws.encode(said, "another" + SECRET, algorithm="HS256"),
        lambda said: jwt.api_jws.encode(said, SECRET * 2, algorithm="HS512"),
        lambda said: jwt.api_jws.encode(said, SECRET, algorithm="HS256", headers={"crit": ["x"]}),
        lambda said: jwt.api_jws.encode(said, SECRET, algorithm="HS256").rsplit(".", 1)[0],
        lambda said: jwt.api_jws.encode(said, SECRET, algorithm="HS256") + ".more",
        lambda said: jwt.api_jws.encode(said, SECRET, algorithm="HS256")[:-2],
        lambda said: new_key("RS256", "k").sign(json.loads(said)),
    ],
    ids=[
        "none", "None", "nOnE", "no algorithm", "no signature", "wrong signature",
        "a list of algorithms", "another secret", "HS512", "unknown critical header",
        "two parts", "four parts", "cut signature", "RS256",
    ],
)  # fmt: skip
async def test_a_forged_token_is_refused(forge: Callable[[bytes], str]) -> None:
    refused = await _refusal(forge(json.dumps(claims()).encode()))
    assert refused.message == "The token is not valid here. Sign in again."


@pytest.mark.parametrize(
    "payload", [b"[]", b'"text"', b"7", b"null", b"", b"{", b"\xff\xfe", b"[" * 5000], ids=str
)
async def test_a_payload_that_is_no_object_is_refused(payload: bytes) -> None:
    await _refusal(jwt.api_jws.encode(payload, SECRET, algorithm="HS256"))


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b.c", "…", "a" * 8_193, "\x00", "eyJ.eyJ.eyJ", "é.é.é", " ", "a b c"],
    ids=lambda token: repr(token[:12]),
)
async def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        await _tokens().viewer(token)


async def test_a_token_longer_than_any_of_ours_is_refused_unread() -> None:
    refused = await _refusal(_signed(more="x" * 8_192))
    assert refused.message == "The token is too long to be one of ours."


async def test_our_own_tokens_prove_what_they_were_made_for() -> None:
    tokens = _tokens()
    signed = tokens.sign(
        subject="bill",
        role=Role.BILLING,
        agency_id=AGENCY,
        sub_account_id=SUB_ACCOUNT,
        lifetime=timedelta(minutes=5),
    )
    viewer = await tokens.viewer(signed)
    assert (viewer.subject, viewer.role, viewer.sub_account_id, viewer.expires_at) == (
        "bill",
        Role.BILLING,
        SUB_ACCOUNT,
        datetime(2026, 6, 1, 12, 5, tzinfo=UTC),
    )


async def test_a_long_subject_is_cut_before_it_reaches_rows_and_logs() -> None:
    assert (await _tokens().viewer(_signed(sub="o" * 500))).subject == "o" * 200
