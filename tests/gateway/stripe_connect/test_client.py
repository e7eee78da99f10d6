"""The adapter against the local Stripe: same key on every try, typed failures, no secrets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from gateway.settings import Settings
from gateway.stripe_connect.client import StripeConnect
from gateway.stripe_connect.errors import (
    AccountLost,
    AuthenticationRequired,
    BadWebhook,
    CardDeclined,
    IdempotencyMismatch,
    NotFoundAtStripe,
    RateLimited,
    StripeFailure,
    StripeRefused,
    StripeUnavailable,
    UnexpectedState,
)
from gateway.stripe_connect.reading import read_intent
from gateway.stripe_connect.values import Intent, IntentStatus
from stripe_sandbox.server import Sandbox
from tests.gateway.purchases.shop import check_contract
from tests.harness import settings_for

pytestmark = pytest.mark.anyio

CREATE = "^/v1/payment_intents$"


@dataclass
class Desk:
    """One adapter, one connected account with a customer."""

    box: Sandbox
    stripe: StripeConnect
    account: str
    customer: str

    async def create(self, key: str = "k", **changes: Any) -> Intent:
        wish = {
            "account": self.account,
            "amount_minor": 2500,
            "currency": "USD",
            "application_fee_minor": 1200,
            "customer": self.customer,
            "metadata": {"rebill_purchase": "pur_1"},
            "payment_method": None,
            "confirm": False,
            "save": False,
            "key": key,
        }
        return await self.stripe.create_payment_intent(**{**wish, **changes})

    def sent(self, path: str = "/v1/payment_intents") -> list[Any]:
        return [entry for entry in self.box.log.entries() if entry.path == path]


def settings(box: Sandbox, **more: Any) -> Settings:
    return settings_for("postgres://nobody@localhost/none", box.url, stripe_timeout_s=0.5, **more)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with Sandbox(seed=1) as box:
        stripe = StripeConnect(settings(box))
        account = box.actions.create_account()["id"]
        customer = await stripe.create_customer(
            account=account, sub_account_id="sub_1", agency_id="agy_1", key="customer"
        )
        yield Desk(box, stripe, account, customer)
        await stripe.close()
        check_contract(box)


async def test_a_direct_charge_carries_the_application_fee(desk: Desk) -> None:
    intent = await desk.create(payment_method="pm_card_visa", confirm=True)
    assert (intent.status, intent.amount_minor, intent.currency) == (
        IntentStatus.SUCCEEDED,
        2500,
        "USD",
    )
    assert (intent.application_fee_minor, intent.livemode) == (1200, False)
    assert intent.charge is not None
    assert intent.charge.stripe_fee_minor == 103
    assert intent.card is not None
    assert (intent.card.brand, intent.card.last4) == ("visa", "4242")
    [entry] = desk.sent()
    assert (entry.account, entry.idempotency_key) == (desk.account, "k")


async def test_without_wholesale_no_fee_is_asked_for(desk: Desk) -> None:
    intent = await desk.create(application_fee_minor=0)
    assert intent.application_fee_minor == 0
    assert "application_fee" not in desk.sent()[0].body


@pytest.mark.parametrize(
    ("fault", "failure", "unknown"),
    [
        ({"kind": "status_before", "status": 429}, RateLimited, None),
        ({"kind": "status_before", "status": 500}, StripeUnavailable, True),
        ({"kind": "status_before", "status": 409}, StripeUnavailable, True),
        ({"kind": "cut_before"}, StripeUnavailable, True),
        ({"kind": "cut_body"}, StripeUnavailable, True),
        ({"kind": "stall_body", "seconds": 2}, StripeUnavailable, True),
        ({"kind": "garbage_body"}, StripeUnavailable, True),
    ],
    ids=str,
)
async def test_three_tries_with_one_key_then_a_typed_failure(
    desk: Desk, fault: dict[str, Any], failure: type[StripeFailure], *, unknown: bool | None
) -> None:
    desk.box.faults.add(match=CREATE, count=None, **fault)
    with pytest.raises(failure) as failed:
        await desk.create()
    assert getattr(failed.value, "outcome_unknown", None) is unknown
    assert [entry.idempotency_key for entry in desk.sent()] == ["k"] * 3


async def test_what_is_missing_is_named(desk: Desk) -> None:
    with pytest.raises(NotFoundAtStripe) as missing:
        await desk.create(customer="cus_unknown")
    assert missing.value.param == "customer"


async def test_refused_charges_of_one_intent_are_listed_newest_first(desk: Desk) -> None:
    await desk.create("other", payment_method="pm_card_visa", confirm=True)
    intents = []
    for key in ("a", "b"):
        with pytest.raises(CardDeclined) as declined:
            await desk.create(key, payment_method="pm_card_visa_chargeDeclined", confirm=True)
        intents.append(declined.value)
    for refused in intents:
        assert refused.intent_id is not None
        listed = await desk.stripe.failed_charges(
            account=desk.account, payment_intent=refused.intent_id
        )
        assert listed == [refused.problem.charge_id]


async def test_a_failed_read_has_no_unknown_outcome(desk: Desk) -> None:
    intent = await desk.create()
    desk.box.faults.add("status_before", "^/v1/payment_intents/", count=None)
    with pytest.raises(StripeUnavailable) as failed:
        await desk.stripe.payment_intent(account=desk.account, id=intent.id)
    assert failed.value.outcome_unknown is False


async def test_should_retry_false_is_obeyed(desk: Desk) -> None:
    desk.box.faults.add("status_before", CREATE, count=None, should_retry=False)
    with pytest.raises(StripeUnavailable):
        await desk.create()
    assert len(desk.sent()) == 1


async def test_stripe_that_nobody_answers_for_is_unavailable(desk: Desk) -> None:
    gone = StripeConnect(settings(desk.box, stripe_api_base="http://127.0.0.1:9"))
    with pytest.raises(StripeUnavailable):
        await gone.account(desk.account)
    await gone.close()


async def test_a_decline_is_tried_once_and_names_the_intent(desk: Desk) -> None:
    with pytest.raises(CardDeclined) as failed:
        await desk.create(payment_method="pm_card_chargeDeclinedExpiredCard", confirm=True)
    assert failed.value.problem.code == "expired_card"
    assert failed.value.problem.charge_id is not None
    assert failed.value.intent_id is not None
    assert not isinstance(failed.value, AuthenticationRequired)
    assert len(desk.sent()) == 1
    intent = await desk.stripe.payment_intent(account=desk.account, id=failed.value.intent_id)
    assert intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert intent.last_error == failed.value.problem
    assert intent.charge is None


async def test_a_repeated_key_answers_the_intent_as_it_is_now(desk: Desk) -> None:
    first = await desk.create()
    await desk.stripe.cancel_payment_intent(account=desk.account, id=first.id)
    again = await desk.create()
    assert (again.id, again.status) == (first.id, IntentStatus.CANCELED)


async def test_a_key_with_another_body_is_a_mismatch(desk: Desk) -> None:
    await desk.create()
    with pytest.raises(IdempotencyMismatch):
        await desk.create(amount_minor=2600)
    assert len(desk.box.state.store.everywhere("payment_intent")) == 1


async def test_a_paid_intent_cannot_be_canceled(desk: Desk) -> None:
    paid = await desk.create(payment_method="pm_card_visa", confirm=True)
    with pytest.raises(UnexpectedState):
        await desk.stripe.cancel_payment_intent(account=desk.account, id=paid.id)


async def test_what_is_not_there_and_what_is_not_ours(desk: Desk) -> None:
    with pytest.raises(NotFoundAtStripe):
        await desk.stripe.payment_intent(account=desk.account, id="pi_unknown")
    with pytest.raises(AccountLost):
        await desk.stripe.account("acct_unknown")
    with pytest.raises(AccountLost):
        await desk.create(account="acct_unknown")
    other = desk.box.actions.create_account()["id"]
    intent = await desk.create()
    with pytest.raises(NotFoundAtStripe):
        await desk.stripe.payment_intent(account=other, id=intent.id)


async def test_a_wish_that_stripe_refuses_says_which_part(desk: Desk) -> None:
    with pytest.raises(StripeRefused) as failed:
        await desk.create(amount_minor=10, application_fee_minor=0)
    assert (failed.value.code, failed.value.param) == ("amount_too_small", "amount")


async def test_a_wrong_key_is_refused_and_told_to_nobody(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "sk_test_with_a_secret_part"
    wrong = StripeConnect(settings(desk.box, stripe_api_base=desk.box.url, stripe_api_key=secret))
    desk.box.faults.add("status_before", "/v1/accounts", status=401)
    with pytest.raises(StripeRefused) as failed:
        await wrong.account(desk.account)
    await wrong.close()
    captured = capsys.readouterr()
    assert secret not in repr(failed.value) + captured.out + captured.err


async def test_the_customers_intents_are_all_found(desk: Desk) -> None:
    made = [(await desk.create(key=f"k{number}")).id for number in range(103)]
    since = datetime.now(UTC) - timedelta(minutes=10)
    found = await desk.stripe.payment_intents_of(
        account=desk.account, customer=desk.customer, created_after=since
    )
    assert sorted(intent.id for intent in found) == sorted(made)
    later = datetime.now(UTC) + timedelta(minutes=10)
    assert not await desk.stripe.payment_intents_of(
        account=desk.account, customer=desk.customer, created_after=later
    )


async def test_onboarding_by_link(desk: Desk) -> None:
    account = await desk.stripe.create_account(agency_id="agy_1", key="account")
    assert (account.charges_enabled, account.card_payments_active) == (False, False)
    assert account.requirements_due != ()
    again = await desk.stripe.create_account(agency_id="agy_1", key="account")
    assert again.id == account.id
    link = await desk.stripe.create_account_link(
        account_id=account.id,
        refresh_url="http://127.0.0.1/refresh",
        return_url="http://127.0.0.1/return",
    )
    assert link.url.startswith(desk.box.url)
    assert link.expires_at > datetime.now(UTC)
    desk.box.actions.set_ready(account.id, ready=True)
    ready = await desk.stripe.account(account.id)
    assert (ready.charges_enabled, ready.card_payments_active) == (True, True)
    assert (ready.requirements_due, ready.disabled_reason) == ((), None)


async def test_the_oauth_door(desk: Desk) -> None:
    url = desk.stripe.authorize_url(state="a state & more", redirect_uri="http://127.0.0.1/back")
    assert url.startswith(f"{desk.box.url}/oauth/authorize?response_type=code&client_id=ca_sandbox")
    assert "state=a+state+%26+more" in url
    async with aiohttp.ClientSession() as browser, browser.get(url) as page:
        assert page.status == 200
    with pytest.raises(StripeRefused) as failed:
        await desk.stripe.exchange_code("ac_unknown")
    assert failed.value.code == "invalid_grant"
    await desk.stripe.deauthorize(desk.account)
    with pytest.raises(AccountLost):
        await desk.stripe.account(desk.account)


async def test_without_a_client_id_oauth_is_refused_plainly(desk: Desk) -> None:
    closed = StripeConnect(settings(desk.box, stripe_client_id=None))
    with pytest.raises(StripeRefused, match="STRIPE_CLIENT_ID"):
        closed.authorize_url(state="s", redirect_uri="http://127.0.0.1/back")
    await closed.close()


async def test_cards_of_a_customer(desk: Desk) -> None:
    setup = await desk.stripe.create_setup_intent(
        account=desk.account, customer=desk.customer, metadata={"rebill_card_setup": "x"}, key="s"
    )
    assert setup.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert setup.client_secret is not None
    paid = await desk.create(payment_method="pm_card_visa", confirm=True, save=True)
    card = paid.card
    assert card is not None
    assert card.customer == desk.customer
    await desk.stripe.detach(account=desk.account, payment_method=card.id)
    left = await desk.stripe.payment_method(account=desk.account, payment_method=card.id)
    assert left is not None
    assert left.customer is None


def test_a_fee_in_another_currency_has_no_exact_amount() -> None:
    charge = {
        "id": "ch_1",
        "amount": 2500,
        "currency": "usd",
        "balance_transaction": {"id": "txn_1", "currency": "eur", "fee_details": []},
    }
    data = {
        "id": "pi_1",
        "status": "succeeded",
        "amount": 2500,
        "currency": "usd",
        "livemode": False,
        "latest_charge": charge,
    }
    read = read_intent(data, account="acct_1")
    assert read.charge is not None
    assert read.charge.stripe_fee_minor is None
    assert read.charge.balance_transaction_id == "txn_1"


def test_every_failure_is_one_family() -> None:
    family = {*StripeFailure.__subclasses__(), AuthenticationRequired}
    assert {CardDeclined, RateLimited, StripeUnavailable, StripeRefused, AccountLost} <= family
    assert not issubclass(BadWebhook, StripeFailure)
