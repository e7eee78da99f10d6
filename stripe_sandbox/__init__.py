"""A local Stripe for the demo and the tests: the part of the API that we call, and its failures.

It is a stand-in: its behaviour is written from Stripe's public documentation and API description,
it was not compared with Stripe's servers. The same client code runs against Stripe with real keys.
"""

from typing import Final

API_VERSION: Final = "2026-08-26.dahlia"
