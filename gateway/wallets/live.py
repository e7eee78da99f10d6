"""The live state of a wallet: the current state first, then every version, in order, no gaps."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from gateway.auth.api_keys import key_has_ended
from gateway.auth.viewer import Viewer
from gateway.errors import AccessDenied
from gateway.live.bus import Event, Listener
from gateway.runtime import Runtime
from gateway.wallets.read import Wallet, wallets


@dataclass(frozen=True, slots=True)
class WalletUpdate:
    """The state after the versions from_version to version, which may be several in one message.

    Blocks and pending credits can change without a new version; such a message repeats the last
    version. reset: the reader asked to resume after a version that cannot be continued, so this
    state replaces what it had."""

    wallet: Wallet
    from_version: int
    reset: bool

    @property
    def version(self) -> int:
        return self.wallet.version


async def wallet_updates(
    rt: Runtime, viewer: Viewer, *, wallet_id: str, after_version: int | None
) -> AsyncGenerator[WalletUpdate, None]:
    """Every committed change of a wallet, until the reader goes or loses its access.

    The mailbox opens before the state is read, so no change can fall between the two. A slow
    reader gets the newest state with all versions it missed in one message, never a queue.
    Raises AccessDenied at the start for a wallet that the viewer may not see, and later when its
    access ends."""
    agency_id = (await _read(rt, viewer, wallet_id)).agency_id
    async with rt.bus.listen(("wallet", wallet_id), ("agency", agency_id)) as listener:
        wallet = await _read(rt, viewer, wallet_id)
        yield _first(wallet, after_version)
        while True:
            if not await _concerns(listener, wallet):
                continue
            if await key_has_ended(viewer, rt.clock()):
                raise AccessDenied("Your access to this wallet has ended.")
            seen, wallet = wallet, await _read(rt, viewer, wallet_id)
            if wallet != seen:
                fresh = wallet.version > seen.version
                yield WalletUpdate(
                    wallet=wallet,
                    from_version=seen.version + 1 if fresh else wallet.version,
                    reset=False,
                )


def _first(wallet: Wallet, after_version: int | None) -> WalletUpdate:
    if after_version is None:
        return WalletUpdate(wallet=wallet, from_version=wallet.version, reset=False)
    if not 0 <= after_version <= wallet.version:
        return WalletUpdate(wallet=wallet, from_version=wallet.version, reset=True)
    start = min(after_version + 1, wallet.version)
    return WalletUpdate(wallet=wallet, from_version=start, reset=False)


async def _concerns(listener: Listener, wallet: Wallet) -> bool:
    """Wait for news; whether any of it is about this wallet."""
    events: Sequence[Event] = await listener.take()
    if listener.overflowed:
        listener.overflowed = False
        return True
    return any(_is_about(event, wallet) for event in events)


def _is_about(event: Event, wallet: Wallet) -> bool:
    """Wallet events always; agency events unless they name another wallet or client."""
    if event.topic == "wallet":
        return event.version > wallet.version
    named_wallet = event.payload.get("walletId", wallet.id)
    named_client = event.payload.get("subAccountId", wallet.sub_account_id)
    return named_wallet == wallet.id and named_client == wallet.sub_account_id


async def _read(rt: Runtime, viewer: Viewer, wallet_id: str) -> Wallet:
    wallet = (await wallets(rt, viewer, [wallet_id])).get(wallet_id)
    if wallet is None:
        raise AccessDenied("No wallet with this id is visible to you.")
    return wallet
