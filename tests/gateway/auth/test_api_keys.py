"""An API key proves its agency and its scopes, until it is revoked or ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.agencies.api_keys import api_keys_of, create_api_key, revoke_api_key
from gateway.auth.api_keys import key_has_ended, secret_hash, viewer_of_key
from gateway.auth.login import Login
from gateway.auth.tokens import Tokens
from gateway.auth.viewer import ROLE_SCOPES, Role, Scope, Viewer, ViewerKind
from gateway.database import rows
from gateway.errors import InvalidInput, NotFound, Unauthenticated
from gateway.ids import new_id
from gateway.settings import Environment, load_settings

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)


def _owner(agency_id: str) -> Viewer:
    return Viewer(
        subject="olivia",
        kind=ViewerKind.AGENCY,
        role=Role.OWNER,
        scopes=ROLE_SCOPES[Role.OWNER],
        agency_id=agency_id,
    )


@pytest.fixture
async def agencies(database: str) -> tuple[str, str]:
    """Two agencies, each with one sub-account of the same number."""
    plan = new_id("plan")
    await rows("INSERT INTO plans (id, name, created_at) VALUES ($1, 'Pro', $2)", plan, NOW)
    made = []
    for name in ("Acme", "Bell"):
        agency = new_id("agency")
        await rows(
            "INSERT INTO agencies (id, plan_id, name, currency, time_zone, created_at) "
            "VALUES ($1, $2, $3, 'USD', 'UTC', $4)",
            *(agency, plan, name, NOW),
        )
        await rows(
            "INSERT INTO sub_accounts (id, agency_id, name, created_at) VALUES ($1, $2, 'C', $3)",
            *(new_id("sub_account"), agency, NOW),
        )
        made.append(agency)
    return made[0], made[1]


async def _sub_account(agency: str) -> str:
    found = await rows("SELECT id FROM sub_accounts WHERE agency_id = $1", agency)
    return str(found[0]["id"])


async def _made(agency: str, **changes: Any) -> tuple[str, str]:
    """→ (id, secret) of a new key."""
    wish: dict[str, Any] = {
        "agency_id": agency,
        "sub_account_id": None,
        "name": "billing job",
        "scopes": [Scope.SPEND, Scope.READ],
        "expires_at": None,
        "now": NOW,
    }
    key, secret = await create_api_key(_owner(agency), **(wish | changes))
    return key.id, secret


async def _refused(secret: str, now: datetime = NOW) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await viewer_of_key(secret, lambda: now)
    assert refused.value.message == "The API key is unknown or was revoked."


async def test_a_key_proves_its_agency_and_scopes(agencies: tuple[str, str]) -> None:
    key_id, secret = await _made(agencies[0])
    assert await viewer_of_key(secret, lambda: NOW) == Viewer(
        subject=key_id,
        kind=ViewerKind.API_KEY,
        role=Role.SERVICE,
        scopes=frozenset({Scope.SPEND, Scope.READ}),
        agency_id=agencies[0],
    )


async def test_a_key_of_a_sub_account_sees_no_more_than_it(agencies: tuple[str, str]) -> None:
    sub_account = await _sub_account(agencies[0])
    _, secret = await _made(agencies[0], sub_account_id=sub_account, scopes=[Scope.PURCHASE])
    viewer = await viewer_of_key(secret, lambda: NOW)
    assert (viewer.agency_id, viewer.sub_account_id) == (agencies[0], sub_account)
    assert viewer.tenant == sub_account
    assert not viewer.sees_agency_side
    assert viewer.may(Scope.PURCHASE)
    assert not viewer.may(Scope.READ)


async def test_only_the_hash_of_a_secret_is_kept(agencies: tuple[str, str]) -> None:
    _, secret = await _made(agencies[0])
    assert secret.startswith("rbk_")
    assert len(secret) == 47
    stored = (await rows("SELECT * FROM api_keys"))[0]
    assert stored["secret_hash"] == secret_hash(secret)
    assert stored["prefix"] == secret[:12]
    assert secret not in str(stored)


async def test_an_unknown_key_is_refused(agencies: tuple[str, str]) -> None:
    _, secret = await _made(agencies[0])
    for wrong in (secret[:-1], secret + "A", secret.upper(), "rbk_", "rbk_' OR true --", "rbk_\0"):
        await _refused(wrong)


async def test_a_revoked_key_is_refused_at_once_and_for_good(agencies: tuple[str, str]) -> None:
    key_id, secret = await _made(agencies[0])
    viewer = await viewer_of_key(secret, lambda: NOW)
    assert not await key_has_ended(viewer, NOW)
    revoked = await revoke_api_key(_owner(agencies[0]), key_id=key_id, now=NOW)
    assert revoked.revoked_at == NOW
    await _refused(secret)
    assert await key_has_ended(viewer, NOW)
    again = await revoke_api_key(_owner(agencies[0]), key_id=key_id, now=NOW + timedelta(hours=1))
    assert again.revoked_at == NOW


async def test_a_key_ends_at_its_instant(agencies: tuple[str, str]) -> None:
    end = NOW + timedelta(days=1)
    _, secret = await _made(agencies[0], expires_at=end)
    viewer = await viewer_of_key(secret, lambda: end - timedelta(microseconds=1))
    assert viewer.expires_at == end
    await _refused(secret, end)
    assert await key_has_ended(viewer, end)


async def test_another_agencys_key_cannot_be_seen_or_revoked(agencies: tuple[str, str]) -> None:
    key_id, secret = await _made(agencies[0])
    stranger = _owner(agencies[1])
    assert await api_keys_of(stranger, agencies[0]) == []
    with pytest.raises(NotFound) as foreign:
        await revoke_api_key(stranger, key_id=key_id, now=NOW)
    for unknown_id in (new_id("api_key"), "nonsense\x00"):
        with pytest.raises(NotFound) as unknown:
            await revoke_api_key(stranger, key_id=unknown_id, now=NOW)
        assert foreign.value.message == unknown.value.message
    assert (await viewer_of_key(secret, lambda: NOW)).subject == key_id


async def test_a_key_for_another_tenant_is_not_made(agencies: tuple[str, str]) -> None:
    theirs = await _sub_account(agencies[1])
    owner = _owner(agencies[0])
    for agency, sub_account in (
        (agencies[1], None),
        (agencies[0], theirs),
        (agencies[1], theirs),
        ("nonsense\x00", None),
        (agencies[0], "nonsense\x00"),
    ):
        with pytest.raises(NotFound):
            await create_api_key(
                owner,
                agency_id=agency,
                sub_account_id=sub_account,
                name="key",
                scopes=[Scope.READ],
                expires_at=None,
                now=NOW,
            )
    assert await rows("SELECT id FROM api_keys") == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "n" * 201}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"expires_at": NOW}, "expiresAt"),
    ],
    ids=["no name", "long name", "name with NUL", "no scope", "past"],
)
async def test_a_key_that_makes_no_sense_is_not_made(
    agencies: tuple[str, str], changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await _made(agencies[0], **changes)
    assert refused.value.field == (field,)
    assert await rows("SELECT id FROM api_keys") == []


async def test_a_key_of_one_client_cannot_manage(agencies: tuple[str, str]) -> None:
    sub_account = await _sub_account(agencies[0])
    with pytest.raises(InvalidInput):
        await _made(agencies[0], sub_account_id=sub_account, scopes=[Scope.MANAGE])


async def test_use_is_noted_once_a_minute(agencies: tuple[str, str]) -> None:
    _, secret = await _made(agencies[0])
    seen = []
    for seconds in (0, 59, 60, 61):
        instant = NOW + timedelta(seconds=seconds)
        await viewer_of_key(secret, lambda instant=instant: instant)  # type: ignore[misc]
        seen.append((await rows("SELECT last_used_at FROM api_keys"))[0]["last_used_at"])
    assert seen == [NOW, NOW, NOW, NOW + timedelta(seconds=61)]


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic abc", "rbk_abc", "Token rbk_abc", "BearerX rbk_a"],
    ids=str,
)
async def test_a_header_without_a_bearer_token_is_refused(
    database: str, header: str | None
) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await _login(database)(header)
    assert refused.value.message == "Send “Authorization: Bearer <token>”."


async def test_a_header_proves_a_person_or_a_key(database: str, agencies: tuple[str, str]) -> None:
    key_id, secret = await _made(agencies[0])
    login = _login(database)
    assert (await login(f"Bearer {secret}")).subject == key_id
    assert (await login(f"bearer   {secret} ")).subject == key_id
    signed = Tokens(_settings(database), lambda: NOW).sign(
        subject="olivia", role=Role.OWNER, agency_id=agencies[0], lifetime=timedelta(hours=1)
    )
    assert (await login(f"Bearer {signed}")).subject == "olivia"


def _settings(url: str) -> Any:
    return load_settings(
        environment=Environment.TEST,
        database_url=url,
        token_algorithm="HS256",
        token_secret="a-secret-of-the-tests-that-is-long-enough",
        stripe_api_key="sk_test_1",
        stripe_publishable_key="pk_test_1",
        stripe_webhook_secrets=("whsec_1",),
    )


def _login(url: str) -> Login:
    return Login(Tokens(_settings(url), lambda: NOW), lambda: NOW)
