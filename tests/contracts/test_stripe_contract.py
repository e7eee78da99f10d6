"""The contract check itself: it knows our version, and it finds what is planted."""

from __future__ import annotations

from typing import Any

import pytest

from stripe_sandbox import API_VERSION
from stripe_sandbox.routes import OPERATIONS
from tests.contracts.stripe_openapi import StripeContract, check_log, contract_or_skip

GOOD = (
    "amount=2500&currency=usd&automatic_payment_methods[enabled]=true"
    "&automatic_payment_methods[allow_redirects]=never&metadata[order]=1&expand[0]=latest_charge"
)
REFUND = {"id": "re_1", "object": "refund", "amount": 1, "created": 1, "currency": "usd"}


@pytest.fixture
def contract() -> StripeContract:
    return contract_or_skip()


def test_we_speak_the_version_of_the_description(contract: StripeContract) -> None:
    assert contract.version == API_VERSION


def test_every_operation_of_the_local_stripe_exists_at_stripe(contract: StripeContract) -> None:
    for operation in OPERATIONS:
        if operation.path.startswith("/v1/"):
            contract._operation(operation.method, operation.path.replace("{", "x").rstrip("}"))


def test_a_good_request_passes(contract: StripeContract) -> None:
    contract.check_request("POST", "/v1/payment_intents", GOOD.encode())
    contract.check_request("POST", "/v1/customers/cus_1", "metadata=&description=")
    contract.check_request("GET", "/v1/events", "", "types[0]=a&created[gte]=5&limit=3")


@pytest.mark.parametrize(
    ("method", "path", "form", "reason"),
    [
        ("POST", "/v1/payment_intents", "currency=usd", "'amount' is a required property"),
        ("POST", "/v1/payment_intents", f"{GOOD}&surprise=1", "surprise"),
        ("POST", "/v1/payment_intents", GOOD.replace("2500", "ten"), "/amount"),
        ("POST", "/v1/payment_intents", GOOD.replace("never", "sometimes"), "allow_redirects"),
        ("POST", "/v1/payment_intents", "amount=1&currency=usd&confirm=yes", "/confirm"),
        ("GET", "/v1/events", "surprise=1", "unknown query parameter surprise"),
        ("GET", "/v1/events", "limit=ten", "/limit|query limit"),
        ("POST", "/v1/nothing", "", "not in Stripe's API description"),
    ],
)
def test_a_wrong_request_is_found(
    contract: StripeContract, method: str, path: str, form: str, reason: str
) -> None:
    with pytest.raises(AssertionError, match=reason):
        contract.check_request(method, path, form)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"amount": "1"}, "/amount"), ({"id": None}, "/id"), ({"object": "refunds"}, "/object")],
)
def test_a_wrong_answer_is_found(
    contract: StripeContract, change: dict[str, Any], reason: str
) -> None:
    contract.check_response("GET", "/v1/refunds/re_1", 200, REFUND)
    with pytest.raises(AssertionError, match=reason):
        contract.check_response("GET", "/v1/refunds/re_1", 200, {**REFUND, **change})


def test_a_wrong_event_and_a_wrong_error_are_found(contract: StripeContract) -> None:
    event = {
        "id": "evt_1",
        "object": "event",
        "created": 1,
        "livemode": False,
        "pending_webhooks": 0,
        "type": "refund.created",
        "data": {"object": REFUND},
    }
    contract.check_event(event)
    with pytest.raises(AssertionError, match=r"event refund\.created"):
        contract.check_event({**event, "data": {"object": {**REFUND, "created": None}}})
    with pytest.raises(AssertionError, match="answer 400"):
        contract.check_response("GET", "/v1/refunds/re_1", 400, {"error": {"message": "no type"}})


def test_a_log_with_one_wrong_entry_fails(contract: StripeContract) -> None:
    good = {
        "method": "GET",
        "path": "/v1/refunds/re_1",
        "query": "",
        "body": "",
        "status": 200,
        "response": REFUND,
    }
    assert check_log([good, {**good, "path": "/oauth/token"}]) == 1
    with pytest.raises(AssertionError):
        check_log([good, {**good, "query": "surprise=1"}])


def test_without_the_file_it_skips_or_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    nowhere = tmp_path_factory.mktemp("empty") / "openapi.json"
    monkeypatch.setenv("REBILL_STRIPE_OPENAPI", str(nowhere))
    monkeypatch.delenv("REBILL_STRIPE_OPENAPI_REQUIRED", raising=False)
    with pytest.raises(pytest.skip.Exception, match="REBILL_STRIPE_OPENAPI"):
        contract_or_skip()
    monkeypatch.setenv("REBILL_STRIPE_OPENAPI_REQUIRED", "1")
    with pytest.raises(pytest.fail.Exception, match="REBILL_STRIPE_OPENAPI"):
        contract_or_skip()
