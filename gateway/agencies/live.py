"""What happens at an agency, as it happens: its live "Stripe" tab."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from gateway.auth.api_keys import key_has_ended
from gateway.auth.viewer import Viewer
from gateway.errors import AccessDenied
from gateway.live.bus import Event
from gateway.outbox.events import ActivityKind
from gateway.runtime import Runtime

_CAPACITY: Final = 256


@dataclass(frozen=True, slots=True)
class Activity:
    """kind: what changed; the ids name what to look at. MISSED: the reader was too slow and some
    changes were dropped, so it should read its lists again."""

    kind: ActivityKind
    purchase_id: str | None = None
    sub_account_id: str | None = None


async def agency_activity(
    rt: Runtime, viewer: Viewer, *, agency_id: str
) -> AsyncGenerator[Activity, None]:
    """Changes of an agency's purchases, connection and clients, from now on.

    Raises AccessDenied for another agency, and later when the viewer's access ends."""
    if not viewer.is_platform and viewer.agency_id != agency_id:
        raise AccessDenied("No agency with this id is visible to you.")
    async with rt.bus.listen(("agency", agency_id), capacity=_CAPACITY) as listener:
        while True:
            events = await listener.take()
            if await key_has_ended(viewer, rt.clock()):
                raise AccessDenied("Your access to this agency has ended.")
            if listener.overflowed:
                listener.overflowed = False
                yield Activity(kind=ActivityKind.MISSED)
            for event in events:
                yield _activity(event)


def _activity(event: Event) -> Activity:
    return Activity(
        kind=ActivityKind(event.kind),
        purchase_id=event.payload.get("purchaseId"),
        sub_account_id=event.payload.get("subAccountId"),
    )
