from datetime import datetime

import strawberry

from gateway.purchases.read import PurchaseFilter as PurchaseFilterRecord
from gateway.purchases.record import PurchaseStatus


@strawberry.input(description="Which purchases to show; what is left out does not matter.")
class PurchaseFilter:
    statuses: list[PurchaseStatus] | None = strawberry.field(
        default=None, description="Only these statuses; null or empty: all."
    )
    sub_account_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only this client's; null: every client's."
    )
    created_from: datetime | None = strawberry.field(
        default=None, description="Begun at this instant or after it; null: any."
    )
    created_before: datetime | None = strawberry.field(
        default=None, description="Begun before this instant; null: any."
    )

    def to_row(self) -> PurchaseFilterRecord:
        return PurchaseFilterRecord(
            statuses=tuple(self.statuses or ()),
            sub_account_id=self.sub_account_id,
            created_from=self.created_from,
            created_before=self.created_before,
        )
