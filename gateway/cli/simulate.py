"""`rebill demo --simulate`: the clients use their credits, so that balances move."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from typing import Final

from gateway.cli.api_client import ApiClient, ApiRefused
from gateway.cli.seed import Seeded

_PAUSE_S: Final = 1.5
_LARGEST_SPEND: Final = 5


async def simulate_spending(client: ApiClient, seeded: Seeded) -> None:
    """Every moment some client spends a few credits, if it has them. Until cancelled."""
    service = client.signed_in(seeded.service_key)
    started = time.time_ns()
    for number in itertools.count():
        await asyncio.sleep(_PAUSE_S)
        try:
            await service.query(
                "mutation Spend($input: SpendCreditsInput!) { spendCredits(input: $input) "
                "{ wallet { available } userErrors { code } } }",
                input={
                    "walletId": random.choice(seeded.wallets),  # noqa: S311 - a play
                    "credits": random.randint(1, _LARGEST_SPEND),  # noqa: S311 - a play
                    "reference": f"simulated search {number}",
                    "idempotencyKey": f"simulated-{started}-{number}",
                },
            )
        except ApiRefused:
            continue
