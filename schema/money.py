from decimal import Decimal
from typing import Self

import strawberry

from gateway.money import Money as MoneyValue
from schema.scalars import CurrencyCode, Int64


@strawberry.type(description="An amount of money, exact.")
class Money:
    amount_minor: Int64 = strawberry.field(
        description="The amount in minor units of the currency: 2500 for 25.00 USD."
    )
    currency: CurrencyCode = strawberry.field(description="ISO 4217 code.")
    amount: Decimal = strawberry.field(description='The amount in major units: "25.00".')

    @classmethod
    def of(cls, amount_minor: int, currency: str) -> Self:
        """Money of `amount_minor` minor units of `currency`."""
        value = MoneyValue(amount_minor, currency)
        return cls(
            amount_minor=Int64(amount_minor), currency=CurrencyCode(currency), amount=value.amount
        )
