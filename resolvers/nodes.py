import asyncio
from typing import Annotated, Protocol

import strawberry

from gateway.errors import BadUserInput
from gateway.ids import noun_of
from resolvers.guards import READERS, require
from schema.agencies import Agency
from schema.api_keys import ApiKey
from schema.context import Info
from schema.node import Node
from schema.packages import CreditPackage
from schema.payment_methods import PaymentMethod
from schema.plans import Plan
from schema.purchases import Purchase
from schema.sub_accounts import SubAccount
from schema.transactions import CreditLot, Transaction
from schema.viewer import Viewer
from schema.wallets import Wallet

_MOST_NODES = 100


class Loadable(Protocol):
    """A type whose objects can be asked for by their id."""

    @classmethod
    async def load(cls, info: Info, id: str | None) -> Node | None: ...


_TYPES: dict[str, type[Loadable]] = {
    "agency": Agency,
    "api_key": ApiKey,
    "lot": CreditLot,
    "package": CreditPackage,
    "payment_method": PaymentMethod,
    "plan": Plan,
    "purchase": Purchase,
    "sub_account": SubAccount,
    "transaction": Transaction,
    "wallet": Wallet,
}


@strawberry.type
class NodeQueries:
    @strawberry.field(description="The caller, as its token proves.")
    def viewer(self, info: Info) -> Viewer:
        return Viewer.from_row(info.context.viewer)

    @strawberry.field(
        description="Any object by its id; null for an id that is unknown or not visible to you."
    )
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")]
    ) -> Node | None:
        require(info.context.viewer, READERS)
        return await _load(info, id)

    @strawberry.field(
        description="Objects by their ids, in the same order; null for each that is unknown or "
        "not visible to you."
    )
    async def nodes(
        self,
        info: Info,
        ids: Annotated[
            list[strawberry.ID], strawberry.argument(description="Their ids, 100 at most.")
        ],
    ) -> list[Node | None]:
        require(info.context.viewer, READERS)
        if len(ids) > _MOST_NODES:
            raise BadUserInput(f"Ask for at most {_MOST_NODES} nodes at once.")
        # Asked for together, so that all objects of a type come with one read.
        return list(await asyncio.gather(*(_load(info, id) for id in ids)))


async def _load(info: Info, id: str) -> Node | None:
    noun = noun_of(id)
    return await _TYPES[noun].load(info, id) if noun in _TYPES else None
