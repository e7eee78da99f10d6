"""What the demo prints for a person."""

from __future__ import annotations

import json
from typing import Any, Final

from rich.console import Console

_BUY: Final = """
mutation Buy($input: PurchaseCreditsInput!) {
  purchaseCredits(input: $input) {
    purchase { id status credits total { amount currency } }
    userErrors { code message }
  }
}
"""


def welcome(out: Console, ready: dict[str, Any]) -> None:
    """The addresses, tokens and commands to copy."""
    ids, tokens = ready["ids"], ready["tokens"]

    def line(text: str = "") -> None:
        # Commands must survive copying: no markup, no wrapping, no highlighting.
        out.print(text, markup=False, highlight=False, soft_wrap=True)

    line("Rebill is running. An agency sells credits at 0.25 over a wholesale price of 0.12.")
    line()
    line(f"GraphQL        {ready['graphql']}   (also WebSocket and SSE)")
    line(f"Local Stripe   {ready['stripe']}   (accounts, payments to pay, 3-D Secure)")
    line(f"Agency {ids['agency']}   client's wallet {ids['wallet']}")
    line()
    line("1. In a second terminal, watch the client's balance:")
    line()
    line(f"   .venv/bin/rebill watch {ids['wallet']} --url {ready['graphql']} \\")
    line(f"     --token {tokens['member']}")
    line()
    line("2. In a third one, buy 100 credits with the client's saved test card:")
    line()
    line(f"   {_curl(ready)}")
    line()
    line("Tokens, by role (Authorization: Bearer …):")
    for role, token in tokens.items():
        line(f"   {role:12} {token}")
    line()
    line("Ctrl-C stops everything; the next start goes on with the same data.")


def _curl(ready: dict[str, Any]) -> str:
    """The shell makes a fresh idempotency key each time the command is pasted."""
    wish = {
        "walletId": ready["ids"]["wallet"],
        "credits": 100,
        "paymentMethodId": ready["ids"]["paymentMethod"],
        "idempotencyKey": "@KEY@",
    }
    body = json.dumps({"query": " ".join(_BUY.split()), "variables": {"input": wish}})
    body = body.replace("@KEY@", "'$(date +%s%N)'")
    return (
        f"curl -s {ready['graphql']} -H 'Content-Type: application/json' \\\n"
        f"     -H 'Authorization: Bearer {ready['tokens']['billing']}' \\\n"
        f"     -d '{body}'"
    )
