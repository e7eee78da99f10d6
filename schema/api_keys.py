from datetime import datetime
from typing import Self

import strawberry

from gateway.agencies.api_keys import api_keys
from gateway.auth.api_keys import ApiKey as ApiKeyRecord
from schema.context import Info
from schema.errors import UserError
from schema.node import Node
from schema.scopes import Scope


@strawberry.type(description="A long-lived token of a service or partner. Its secret is not kept.")
class ApiKey(Node):
    name: str = strawberry.field(description="What it is for.")
    prefix: str = strawberry.field(description="First characters of the secret.")
    scopes: list[Scope] = strawberry.field(description="What it may do.")
    sub_account_id: strawberry.ID | None = strawberry.field(
        description="The one client it is bound to; null for a key of the whole agency."
    )
    created_by: str = strawberry.field(description="Subject of the token that made it.")
    created_at: datetime = strawberry.field(description="When it was made.")
    last_used_at: datetime | None = strawberry.field(
        description="When it was last used, to the minute; null when it never was."
    )
    expires_at: datetime | None = strawberry.field(
        description="When it ends by itself; null when it does not."
    )
    revoked_at: datetime | None = strawberry.field(
        description="When it was ended; null while it is in force."
    )

    @classmethod
    def from_row(cls, key: ApiKeyRecord) -> Self:
        return cls(
            id=strawberry.ID(key.id),
            name=key.name,
            prefix=key.prefix,
            scopes=list(key.scopes),
            sub_account_id=strawberry.ID(key.sub_account_id) if key.sub_account_id else None,
            created_by=key.created_by,
            created_at=key.created_at,
            last_used_at=key.last_used_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
        )

    @classmethod
    async def load(cls, info: Info, id: str | None) -> Self | None:
        found = await info.context.loaders.load(api_keys, id) if id else None
        return cls.from_row(found) if found else None


@strawberry.input(description="A key to make.")
class CreateApiKeyInput:
    agency_id: strawberry.ID = strawberry.field(description="Whose key it is.")
    sub_account_id: strawberry.ID | None = strawberry.field(
        default=None, description="Bind it to this client; null for the whole agency."
    )
    name: str = strawberry.field(description="What it is for, 1 to 200 characters.")
    scopes: list[Scope] = strawberry.field(description="What it may do; at least one.")
    expires_at: datetime | None = strawberry.field(
        default=None, description="When it ends by itself; null: only by revocation."
    )


@strawberry.type(description="Answer of createApiKey.")
class CreateApiKeyPayload:
    api_key: ApiKey | None = strawberry.field(
        default=None, description="The new key; null when it was refused."
    )
    secret: str | None = strawberry.field(
        default=None, description="The bearer token, shown this once; null when it was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )


@strawberry.input(description="A key to end.")
class RevokeApiKeyInput:
    api_key_id: strawberry.ID = strawberry.field(description="Which key.")


@strawberry.type(description="Answer of revokeApiKey.")
class RevokeApiKeyPayload:
    api_key: ApiKey | None = strawberry.field(
        default=None, description="The ended key; null when it was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )
