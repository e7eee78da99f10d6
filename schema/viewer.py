from typing import Self

import strawberry

from gateway.auth.viewer import Role, ViewerKind
from gateway.auth.viewer import Viewer as ViewerRecord
from schema.agencies import Agency
from schema.context import Info
from schema.enums import described
from schema.scopes import Scope
from schema.sub_accounts import SubAccount

described(
    ViewerKind,
    "On whose behalf a request acts.",
    {
        ViewerKind.PLATFORM: "The platform that sells through agencies.",
        ViewerKind.AGENCY: "A person of an agency.",
        ViewerKind.SUB_ACCOUNT: "A person of an agency's client.",
        ViewerKind.API_KEY: "A service or partner with an API key.",
    },
)
described(
    Role,
    "What the viewer may do inside its tenant.",
    {
        Role.ADMIN: "Everything, for the platform.",
        Role.OWNER: "Everything of one agency.",
        Role.STAFF: "Daily work of one agency; no keys, no refunds beyond the default.",
        Role.BILLING: "Buys credits for one client.",
        Role.MEMBER: "Sees the balance of one client; cannot buy.",
        Role.SERVICE: "An API key; its scopes say what it may do.",
    },
)


@strawberry.type(description="The caller, as its token proves.")
class Viewer:
    kind: ViewerKind = strawberry.field(description="On whose behalf the request acts.")
    role: Role = strawberry.field(description="What the viewer may do inside its tenant.")
    scopes: list[Scope] = strawberry.field(description="What the viewer may do, in scopes.")
    agency_id: strawberry.Private[str | None]
    sub_account_id: strawberry.Private[str | None]

    @strawberry.field(description="The viewer's agency; null for the platform.")
    async def agency(self, info: Info) -> Agency | None:
        return await Agency.load(info, self.agency_id)

    @strawberry.field(description="The viewer's client; null unless it is bound to one.")
    async def sub_account(self, info: Info) -> SubAccount | None:
        return await SubAccount.load(info, self.sub_account_id)

    @classmethod
    def from_row(cls, viewer: ViewerRecord) -> Self:
        return cls(
            kind=viewer.kind,
            role=viewer.role,
            scopes=sorted(viewer.scopes),
            agency_id=viewer.agency_id,
            sub_account_id=viewer.sub_account_id,
        )
