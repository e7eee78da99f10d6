import strawberry

from gateway.spending.spend import spend_credits
from resolvers.guards import SPENDERS, mutation
from schema.context import Info
from schema.spending import SpendCreditsInput, SpendCreditsPayload
from schema.transactions import Transaction
from schema.wallets import Wallet


@strawberry.type
class SpendingMutations:
    @mutation(
        SpendCreditsPayload,
        allow=SPENDERS,
        description="Use up credits of a client's wallet: free ones first, then the soonest to "
        "expire, then the oldest.",
    )
    async def spend_credits(self, info: Info, input: SpendCreditsInput) -> SpendCreditsPayload:
        context = info.context
        receipt = await spend_credits(
            context.runtime,
            context.viewer,
            wallet_id=input.wallet_id,
            credits=input.credits,
            reference=input.reference,
            idempotency_key=input.idempotency_key,
        )
        return SpendCreditsPayload(
            transaction=await Transaction.load(info, receipt.transaction_ids[-1]),
            wallet=await Wallet.load(info, receipt.wallet_id),
            replayed=receipt.replayed,
        )
