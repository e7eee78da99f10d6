import strawberry

from gateway.agencies.api_keys import create_api_key, revoke_api_key
from resolvers.guards import OWNERS, mutation
from schema.api_keys import (
    ApiKey,
    CreateApiKeyInput,
    CreateApiKeyPayload,
    RevokeApiKeyInput,
    RevokeApiKeyPayload,
)
from schema.context import Info


@strawberry.type
class ApiKeyMutations:
    @mutation(
        CreateApiKeyPayload, allow=OWNERS, description="Make an API key. Its secret is shown once."
    )
    async def create_api_key(self, info: Info, input: CreateApiKeyInput) -> CreateApiKeyPayload:
        key, secret = await create_api_key(
            info.context.viewer,
            agency_id=input.agency_id,
            sub_account_id=input.sub_account_id,
            name=input.name,
            scopes=input.scopes,
            expires_at=input.expires_at,
            now=info.context.runtime.clock(),
        )
        return CreateApiKeyPayload(api_key=ApiKey.from_row(key), secret=secret)

    @mutation(
        RevokeApiKeyPayload,
        allow=OWNERS,
        description="End an API key at once; its open streams end too. Again is the same.",
    )
    async def revoke_api_key(self, info: Info, input: RevokeApiKeyInput) -> RevokeApiKeyPayload:
        context = info.context
        key = await revoke_api_key(
            context.viewer, key_id=input.api_key_id, now=context.runtime.clock()
        )
        return RevokeApiKeyPayload(api_key=ApiKey.from_row(key))
