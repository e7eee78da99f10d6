"""Query, Mutation and Subscription: the executable schema."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from resolvers.agencies import AgencyMutations, AgencyQueries
from resolvers.api_keys import ApiKeyMutations
from resolvers.live import LiveSubscriptions
from resolvers.nodes import NodeQueries
from resolvers.packages import PackageMutations
from resolvers.payment_methods import PaymentMethodMutations
from resolvers.plans import PlanMutations, PlanQueries
from resolvers.pricing import PricingMutations, PricingQueries
from resolvers.purchases import PurchaseMutations, PurchaseQueries
from resolvers.spending import SpendingMutations
from resolvers.stripe_connection import StripeConnectionMutations
from resolvers.sub_accounts import SubAccountMutations, SubAccountQueries
from resolvers.wallets import WalletQueries
from schema.errors import CONCRETE_ERRORS
from schema.purchasing import DuplicateSuspectedError, PriceChangedError
from schema.scalars import SCALARS


@strawberry.type(description="What can be read. Everything is limited to what the viewer may see.")
class Query(
    NodeQueries,
    AgencyQueries,
    PlanQueries,
    PricingQueries,
    PurchaseQueries,
    SubAccountQueries,
    WalletQueries,
):
    pass


@strawberry.type(
    description="What can be changed. A refused mutation changes nothing and says why in "
    "`userErrors`."
)
class Mutation(
    AgencyMutations,
    ApiKeyMutations,
    PackageMutations,
    PaymentMethodMutations,
    PlanMutations,
    PricingMutations,
    PurchaseMutations,
    SpendingMutations,
    StripeConnectionMutations,
    SubAccountMutations,
):
    pass


@strawberry.type(description="What is pushed, over graphql-transport-ws or server-sent events.")
class Subscription(LiveSubscriptions):
    pass


schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[*CONCRETE_ERRORS, DuplicateSuspectedError, PriceChangedError],
    config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
)
