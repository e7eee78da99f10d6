"""A wrong or dangerous start is refused, with one report that shows no secret."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from gateway.settings import DEMO_SECRET, Environment, SettingsError, load_settings

_PASSWORD = "canary-of-the-database"
_LIVE_KEY = "sk_live_" + "canaryOfTheKey"
_WEBHOOK_SECRET = "whsec_canaryOfTheWebhook"
_TOKEN_SECRET = "canary-of-the-tokens-that-is-long-enough"

_PRODUCTION: dict[str, object] = {
    "environment": Environment.PRODUCTION,
    "database_url": f"postgres://rebill:{_PASSWORD}@db.example.com/rebill",
    "token_algorithm": "RS256",
    "token_jwks_url": "https://login.example.com/keys",
    "stripe_api_key": _LIVE_KEY,
    "stripe_publishable_key": "pk_live_" + "canary",
    "stripe_webhook_secrets": (_WEBHOOK_SECRET,),
}
_TEST: dict[str, object] = _PRODUCTION | {
    "environment": Environment.TEST,
    "token_algorithm": "HS256",
    "token_jwks_url": None,
    "token_secret": _TOKEN_SECRET,
    "stripe_api_key": "sk_test_canary",
    "stripe_publishable_key": "pk_test_canary",
    "stripe_api_base": "http://127.0.0.1:4000",
}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither this machine's variables nor its `.env` take part."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.chdir(tmp_path)


def _report(values: dict[str, object]) -> str:
    with pytest.raises(SettingsError) as refused:
        load_settings(**values)
    report = str(refused.value)
    for secret in (_PASSWORD, _LIVE_KEY, _WEBHOOK_SECRET, _TOKEN_SECRET, DEMO_SECRET):
        assert secret not in report
    assert refused.value.__cause__ is None, "the cause would show the values"
    assert refused.value.__suppress_context__
    return report


def test_a_correct_production_start_is_taken() -> None:
    settings = load_settings(**_PRODUCTION)
    assert settings.livemode
    assert settings.logs_are_json
    assert settings.minimum_margin == Decimal("0.0001")
    for secret in (_PASSWORD, _LIVE_KEY, _WEBHOOK_SECRET):
        assert secret not in repr(settings)


def test_a_correct_test_start_is_taken() -> None:
    settings = load_settings(**_TEST)
    assert not settings.livemode
    assert not settings.logs_are_json


@pytest.mark.parametrize(
    ("base", "changes", "problem"),
    [
        (
            _PRODUCTION,
            {"stripe_api_base": "http://localhost:4000"},
            "STRIPE_API_KEY is a live key but STRIPE_API_BASE is on this machine",
        ),
        (
            _PRODUCTION,
            {"stripe_api_base": "http://127.1.2.3:4000"},
            "STRIPE_API_BASE is on this machine in production",
        ),
        (
            _PRODUCTION,
            {"stripe_api_base": "http://[::1]:4000"},
            "STRIPE_API_BASE is on this machine in production",
        ),
        (
            _TEST,
            {
                "stripe_api_key": _LIVE_KEY,
                "stripe_publishable_key": "pk_live_" + "canary",
                "stripe_api_base": "https://api.stripe.com",
            },
            "STRIPE_API_KEY is a live key outside ENVIRONMENT=production",
        ),
        (
            _PRODUCTION,
            {"stripe_publishable_key": "pk_test_canary"},
            "STRIPE_API_KEY and STRIPE_PUBLISHABLE_KEY are of different modes",
        ),
        (
            _TEST,
            {"stripe_publishable_key": "pk_live_" + "canary"},
            "STRIPE_API_KEY and STRIPE_PUBLISHABLE_KEY are of different modes",
        ),
        (_PRODUCTION, {"stripe_webhook_secrets": ()}, "STRIPE_WEBHOOK_SECRETS is missing"),
        (_PRODUCTION, {"stripe_webhook_secrets": " , "}, "STRIPE_WEBHOOK_SECRETS is missing"),
        (
            _TEST,
            {"token_secret": DEMO_SECRET},
            "TOKEN_SECRET is the demo's: anyone can sign tokens with it",
        ),
        (
            _PRODUCTION,
            {"token_algorithm": "HS256", "token_jwks_url": None, "token_secret": DEMO_SECRET},
            "TOKEN_SECRET is the demo's: anyone can sign tokens with it",
        ),
        (_TEST, {"token_secret": None}, "TOKEN_SECRET of 32 bytes or more is needed"),
        (_TEST, {"token_secret": "x" * 31}, "TOKEN_SECRET of 32 bytes or more is needed"),
        (
            _TEST,
            {"token_jwks_url": "https://login.example.com/keys"},
            "TOKEN_JWKS_URL cannot be used with HS256",
        ),
        (_PRODUCTION, {"token_jwks_url": None}, "TOKEN_JWKS_URL is needed for RS256"),
        (_PRODUCTION, {"token_algorithm": "none"}, "TOKEN_ALGORITHM must be HS256"),
        (_PRODUCTION, {"token_algorithm": "HS384"}, "TOKEN_ALGORITHM must be HS256"),
        (
            _PRODUCTION,
            {"database_url": f"sqlite:///{_PASSWORD}"},
            "DATABASE_URL must begin with postgres://",
        ),
        (
            _PRODUCTION,
            {"stripe_api_base": "http://api.stripe.com"},
            "STRIPE_API_BASE must begin with https:// in production",
        ),
        (
            _PRODUCTION,
            {"stripe_connect_base": "http://connect.stripe.com"},
            "STRIPE_CONNECT_BASE must begin with https:// in production",
        ),
        (
            _PRODUCTION,
            {"token_jwks_url": "http://login.example.com/keys"},
            "TOKEN_JWKS_URL must begin with https:// in production",
        ),
        (_PRODUCTION, {"log_level": "LOUD"}, "LOG_LEVEL: "),
        (_PRODUCTION, {"minimum_margin": 0}, "MINIMUM_MARGIN: "),
        (_PRODUCTION, {"database_pool_size": 1}, "DATABASE_POOL_SIZE: "),
        (_PRODUCTION, {"port": 65_536}, "PORT: "),
        (_PRODUCTION, {"environment": "staging"}, "ENVIRONMENT: "),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) and len(value) < 5 else None,
)
def test_a_dangerous_start_is_refused(
    base: dict[str, object], changes: dict[str, object], problem: str
) -> None:
    assert f"  - {problem}" in _report(base | changes)


def test_the_demo_may_use_its_own_secret() -> None:
    demo = load_settings(**(_TEST | {"environment": Environment.DEMO, "token_secret": DEMO_SECRET}))
    assert demo.environment is Environment.DEMO


def test_all_problems_stand_in_one_report() -> None:
    wrong = {"stripe_webhook_secrets": (), "stripe_publishable_key": "pk_test_canary"}
    report = _report(_PRODUCTION | wrong | {"token_jwks_url": None})
    lines = report.splitlines()
    assert lines[0] == "Rebill cannot start with these settings:"
    assert [line for line in lines[1:] if not line.startswith("  - ")] == []
    assert len(lines) == 4


def test_what_is_missing_is_named() -> None:
    report = _report({})
    for name in ("DATABASE_URL", "STRIPE_API_KEY", "STRIPE_PUBLISHABLE_KEY"):
        assert f"  - {name}: Field required" in report


def test_the_environment_is_read_and_secrets_are_parted_at_commas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://db.example.com/rebill")
    monkeypatch.setenv("REBILL_ENVIRONMENT", "production")
    monkeypatch.setenv("REBILL_TOKEN_JWKS_URL", "https://login.example.com/keys")
    monkeypatch.setenv("REBILL_STRIPE_API_KEY", "sk_test_1")
    monkeypatch.setenv("REBILL_STRIPE_PUBLISHABLE_KEY", "pk_test_1")
    monkeypatch.setenv("REBILL_STRIPE_WEBHOOK_SECRETS", "whsec_new, whsec_old")
    settings = load_settings(port=0)
    secrets = [secret.get_secret_value() for secret in settings.stripe_webhook_secrets]
    assert secrets == ["whsec_new", "whsec_old"]
    assert settings.port == 0
