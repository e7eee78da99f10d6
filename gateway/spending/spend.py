"""Taking credits for something that was used."""

from __future__ import annotations

from typing import Final

from gateway.auth.scope import visible
from gateway.auth.viewer import Viewer
from gateway.database import row
from gateway.errors import InvalidInput, NotFound
from gateway.idempotency import request_hash
from gateway.ids import is_id
from gateway.ledger.commands import Spend
from gateway.ledger.receipts import Idempotency, Receipt
from gateway.runtime import Runtime

_LONGEST_REFERENCE: Final = 200


async def spend_credits(
    rt: Runtime,
    viewer: Viewer,
    *,
    wallet_id: str,
    credits: int,
    reference: str,
    idempotency_key: str,
) -> Receipt:
    """Use up credits of a client's wallet, in burn order. credits: whole, ≥ 1.

    Raises NotFound, WalletBlocked (client suspended), InsufficientCredits, DebtOutstanding,
    IdempotencyConflict, InvalidInput. After: the change is committed; the same key answers the
    same again without another effect."""
    if credits < 1:
        raise InvalidInput("Spend at least 1 credit.", field=("credits",))
    if not 1 <= len(reference) <= _LONGEST_REFERENCE or not reference.isprintable():
        raise InvalidInput(
            f"Give a reference of 1 to {_LONGEST_REFERENCE} printable characters.",
            field=("reference",),
        )
    agency_id = await _agency_of(viewer, wallet_id)
    command = Spend(
        agency_id=agency_id,
        wallet_id=wallet_id,
        actor=viewer.subject,
        credits=credits,
        reference=reference,
    )
    wish = {"walletId": wallet_id, "credits": credits, "reference": reference}
    idempotency = Idempotency(
        agency_id=agency_id,
        tenant=viewer.tenant,
        operation="spendCredits",
        key=idempotency_key,
        request_hash=request_hash(wish),
    )
    return await rt.book.post(command, idempotency=idempotency)


async def _agency_of(viewer: Viewer, wallet_id: str) -> str:
    """Whose wallet it is. Raises NotFound. Whether it may spend is judged by the ledger, under the
    wallet's lock and after the key was looked up: a repeated key gets its first answer."""
    if not is_id(wallet_id, "wallet"):
        raise NotFound("wallet", field=("walletId",))
    condition = visible(viewer, first=2)
    found = await row(
        f"SELECT agency_id FROM wallets WHERE id = $1 AND kind = 'CLIENT' AND {condition.sql}",
        wallet_id,
        *condition.values,
    )
    if found is None:
        raise NotFound("wallet", field=("walletId",))
    return str(found["agency_id"])
