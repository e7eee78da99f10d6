"""Every setting, in one typed place. Each is an environment variable `REBILL_<NAME>` (upper case);
`DATABASE_URL` and `REDIS_URL` go by their usual names. `docs/settings.md` is checked against it."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

DEMO_SECRET = "demo-secret-that-must-never-leave-this-machine"  # noqa: S105 - refused elsewhere
STRIPE_VERSION = "2026-08-26.dahlia"


class Environment(StrEnum):
    """Where the process runs; the demo's secrets are refused everywhere else."""

    DEMO = "demo"
    TEST = "test"
    PRODUCTION = "production"


class SettingsError(Exception):
    """The start is refused; the message is one readable report with every problem."""


class Settings(BaseSettings):
    """Read from the environment (and `.env`). Raises SettingsError through `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix="REBILL_", env_file=".env", extra="ignore", populate_by_name=True, frozen=True
    )

    environment: Environment = Field(
        default=Environment.PRODUCTION, description="`production`, `test` or `demo`."
    )
    database_url: SecretStr = Field(
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
        description="PostgreSQL: postgres://user:password@host:port/database.",
    )
    database_pool_size: int = Field(
        default=20, ge=2, le=200, description="Connections that one process holds at most."
    )
    redis_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("REDIS_URL", "redis_url"),
        description="Redis protocol server; not used yet, live events stay inside one process.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes one.")
    public_url: str = Field(
        default="http://127.0.0.1:8000",
        description="Address at which clients reach the gateway; Stripe sends people back to it.",
    )
    log_json: bool | None = Field(
        default=None, description="JSON log lines; default: in production only."
    )
    log_level: str = Field(
        default="INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="DEBUG, INFO, WARNING or ERROR.",
    )

    token_algorithm: str = Field(
        default="RS256", description="The one accepted JWT algorithm: HS256, RS256, ES256 or EdDSA."
    )
    token_secret: SecretStr | None = Field(
        default=None, description="Shared secret for HS256, 32 bytes or more."
    )
    token_jwks_url: str | None = Field(
        default=None, description="Where the identity provider publishes its public keys."
    )
    token_issuer: str = Field(default="rebill", description="Required `iss` of a token.")
    token_audience: str = Field(default="rebill", description="Required `aud` of a token.")
    token_leeway_s: int = Field(
        default=5, ge=0, le=60, description="Clock difference allowed when a token is checked."
    )

    stripe_api_key: SecretStr = Field(
        description="The platform's secret key, sk_test_… or sk_live_…."
    )
    stripe_publishable_key: str = Field(
        description="The platform's publishable key; handed to clients with each purchase."
    )
    stripe_api_base: str = Field(
        default="https://api.stripe.com",
        description="Stripe's address; the local Stripe's in a demo.",
    )
    stripe_connect_base: str = Field(
        default="https://connect.stripe.com", description="Stripe's OAuth address."
    )
    stripe_client_id: str | None = Field(
        default=None,
        description="ca_…, only for agencies that connect an existing account by OAuth.",
    )
    stripe_oauth_return_url: str | None = Field(
        default=None,
        description="Page of your application that finishes OAuth with `completeStripeOAuth`.",
    )
    stripe_webhook_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Signing secrets of both webhook endpoints and of rolled ones, with commas.",
    )
    stripe_timeout_s: float = Field(
        default=20, gt=0, le=80, description="Longest wait for one answer of Stripe."
    )
    stripe_retries: int = Field(
        default=2,
        ge=0,
        le=5,
        description="Further tries of a call to Stripe that may succeed later.",
    )
    stripe_connections: int = Field(
        default=100, ge=1, le=1000, description="Connections to Stripe that one process holds."
    )
    stripe_fee_percent: Decimal = Field(
        default=Decimal("2.9"), ge=0, le=20, description="Estimate of Stripe's fee, percent part."
    )
    stripe_fee_fixed_minor: int = Field(
        default=30, ge=0, description="Estimate of Stripe's fee, fixed part in minor units."
    )

    minimum_margin: Decimal = Field(
        default=Decimal("0.0001"),
        gt=0,
        description="Money per credit, in major units, that must stay above wholesale.",
    )
    purchase_expires_s: int = Field(
        default=3600, ge=60, description="Life of an unpaid purchase with its buyer present."
    )
    purchase_attempts: int = Field(
        default=5, ge=1, le=20, description="Card attempts after which a purchase has failed."
    )
    reconcile_after_s: float = Field(
        default=120, gt=0, description="Age after which an open purchase is read from Stripe."
    )
    shutdown_s: int = Field(
        default=10, ge=1, le=60, description="Time that running requests get at a stop."
    )
    workers_in_process: bool = Field(
        default=True, description="Run the background workers inside `rebill serve`."
    )

    @model_validator(mode="before")
    @classmethod
    def _split_secrets(cls, values: dict[str, object]) -> dict[str, object]:
        for name in ("stripe_webhook_secrets", "REBILL_STRIPE_WEBHOOK_SECRETS"):
            if isinstance(listed := values.get(name), str):
                values[name] = tuple(part.strip() for part in listed.split(",") if part.strip())
        return values

    @model_validator(mode="after")
    def _refuse_dangerous(self) -> Self:
        problems = list(_problems(self))
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def livemode(self) -> bool:
        """True when the Stripe key moves real money."""
        return "_live_" in self.stripe_api_key.get_secret_value()

    @property
    def logs_are_json(self) -> bool:
        if self.log_json is not None:
            return self.log_json
        return self.environment is Environment.PRODUCTION


def _problems(settings: Settings) -> list[str]:
    found: list[str] = []
    live = settings.livemode
    loopback = _is_loopback(settings.stripe_api_base)
    if live and loopback:
        found.append("STRIPE_API_KEY is a live key but STRIPE_API_BASE is on this machine")
    if live and settings.environment is not Environment.PRODUCTION:
        found.append("STRIPE_API_KEY is a live key outside ENVIRONMENT=production")
    if live != ("_live_" in settings.stripe_publishable_key):
        found.append("STRIPE_API_KEY and STRIPE_PUBLISHABLE_KEY are of different modes")
    if settings.environment is Environment.PRODUCTION and loopback:
        found.append("STRIPE_API_BASE is on this machine in production")
    if settings.environment is Environment.PRODUCTION:
        found += [
            f"{name} must begin with https:// in production: keys and tokens travel there"
            for name, address in _addresses(settings)
            if not address.startswith("https://")
        ]
    if not settings.stripe_webhook_secrets:
        found.append("STRIPE_WEBHOOK_SECRETS is missing: webhooks could not be verified")
    found += _token_problems(settings)
    if not settings.database_url.get_secret_value().startswith(("postgres://", "postgresql://")):
        found.append("DATABASE_URL must begin with postgres://: PostgreSQL is the only database")
    return found


def _addresses(settings: Settings) -> list[tuple[str, str]]:
    """Where the gateway sends secrets to."""
    return [
        ("STRIPE_API_BASE", settings.stripe_api_base),
        ("STRIPE_CONNECT_BASE", settings.stripe_connect_base),
        ("TOKEN_JWKS_URL", settings.token_jwks_url or "https://"),
    ]


def _token_problems(settings: Settings) -> list[str]:
    found: list[str] = []
    secret = settings.token_secret.get_secret_value() if settings.token_secret else ""
    if settings.token_algorithm not in {"HS256", "RS256", "ES256", "EdDSA"}:
        found.append("TOKEN_ALGORITHM must be HS256, RS256, ES256 or EdDSA")
    elif settings.token_algorithm == "HS256":  # noqa: S105 - the name of an algorithm
        if len(secret.encode()) < 32:
            found.append("TOKEN_SECRET of 32 bytes or more is needed for HS256")
        if secret == DEMO_SECRET and settings.environment is not Environment.DEMO:
            found.append("TOKEN_SECRET is the demo's: anyone can sign tokens with it")
        if settings.token_jwks_url:
            found.append("TOKEN_JWKS_URL cannot be used with HS256")
    elif not settings.token_jwks_url:
        found.append("TOKEN_JWKS_URL is needed for " + settings.token_algorithm)
    return found


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def load_settings(**values: object) -> Settings:
    """Settings from the environment, `values` before it. Raises SettingsError with all problems."""
    try:
        return Settings(**values)  # type: ignore[arg-type]  # the environment fills the rest
    except ValidationError as error:
        lines = [_line(problem) for problem in error.errors(include_input=False)]
        report = "\n".join(f"  - {line}" for entry in lines for line in entry.split("; "))
        raise SettingsError(f"Rebill cannot start with these settings:\n{report}") from None


def _line(problem: object) -> str:
    assert isinstance(problem, dict)
    where = ".".join(str(part) for part in problem["loc"]).upper()
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
