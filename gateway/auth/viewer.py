"""Who is asking: kind, tenant, role and scopes, as proven by a token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ViewerKind(StrEnum):
    """On whose behalf the request acts."""

    PLATFORM = "PLATFORM"
    AGENCY = "AGENCY"
    SUB_ACCOUNT = "SUB_ACCOUNT"
    API_KEY = "API_KEY"


class Role(StrEnum):
    """What the viewer may do inside its tenant."""

    ADMIN = "ADMIN"
    OWNER = "OWNER"
    STAFF = "STAFF"
    BILLING = "BILLING"
    MEMBER = "MEMBER"
    SERVICE = "SERVICE"


class Scope(StrEnum):
    """What an API key may do; signed-in people have the scopes of their role."""

    READ = "READ"
    PURCHASE = "PURCHASE"
    SPEND = "SPEND"
    MANAGE = "MANAGE"


ROLE_SCOPES = {
    Role.ADMIN: frozenset(Scope),
    Role.OWNER: frozenset(Scope),
    Role.STAFF: frozenset({Scope.READ, Scope.MANAGE}),
    Role.BILLING: frozenset({Scope.READ, Scope.PURCHASE}),
    Role.MEMBER: frozenset({Scope.READ}),
}


@dataclass(frozen=True, slots=True)
class Viewer:
    """One proven caller.

    agency_id: None only for the platform. sub_account_id: set when the viewer is bound to one
    sub-account. expires_at: when the proof ends (None: an API key, which ends by revocation)."""

    subject: str
    kind: ViewerKind
    role: Role
    scopes: frozenset[Scope]
    agency_id: str | None = None
    sub_account_id: str | None = None
    expires_at: datetime | None = None

    @property
    def tenant(self) -> str:
        """The tenant whose idempotency keys this viewer uses: the narrowest id it is bound to."""
        return self.sub_account_id or self.agency_id or "platform"

    @property
    def is_platform(self) -> bool:
        return self.kind is ViewerKind.PLATFORM

    @property
    def sees_agency_side(self) -> bool:
        """True for the platform and for viewers of a whole agency: margin, wholesale, Stripe."""
        return self.sub_account_id is None

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes
