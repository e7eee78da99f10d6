"""The public contract: printed from the code, described throughout, the same shape everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    is_introspection_type,
    is_specified_scalar_type,
)

from resolvers.root import schema
from schema.printing import printed
from tests.contracts.sources import ROOT

BUILT: Final = build_schema((ROOT / "schema.graphql").read_text())
OWN_TYPES: Final = {
    name: kind
    for name, kind in BUILT.type_map.items()
    if not is_introspection_type(kind) and not is_specified_scalar_type(kind)
}

# The names that clients are written against.
QUERIES: Final = {
    "viewer", "node", "nodes", "agencies", "agency", "plans", "subAccount", "wallet", "purchase",
    "pricePreview", "quotePurchase",
}  # fmt: skip
MUTATIONS: Final = {
    "createAgency", "updateAgency", "createPlan", "setWholesalePrice",
    "startStripeOnboarding", "completeStripeOAuth", "refreshStripeConnection", "disconnectStripe",
    "setCreditPrice", "setQuantityRules", "enableRebilling", "disableRebilling",
    "createCreditPackage", "updateCreditPackage", "archiveCreditPackage", "createSubAccount",
    "updateSubAccount", "suspendSubAccount", "resumeSubAccount", "setWalletAccess",
    "configureSubAccounts", "createApiKey", "revokeApiKey", "purchaseCredits", "refreshPurchase",
    "cancelPurchase",
    "startCardSetup", "setDefaultPaymentMethod", "removePaymentMethod", "spendCredits",
}  # fmt: skip
SUBSCRIPTIONS: Final = {"walletUpdated", "agencyActivity"}
MOVING_CREDITS_OR_MONEY: Final = {"purchaseCredits", "spendCredits"}
ANSWERED_ONCE: Final = {
    "CardSetup": "its client confirms it and then reads the card",
    "WholesalePrice": "the answer of the one mutation that makes it",
}
"""Objects with an id that cannot be asked for by it, and why."""
FIELDS: Final = {
    "Viewer": "kind role scopes agency subAccount",
    "Agency": "id name plan currency timeZone readiness stripe rebilling pool packages subAccounts "
    "purchases apiKeys",
    "SubAccount": "id agency name externalId status walletAccess pricePerCredit wallet",
    "Wallet": "id owner available held pending frozen debt version blocks purchasable packages "
    "lots nextExpiry paymentMethods transactions purchases",
    "CreditPackage": "id name credits bonusCredits price pricePerCredit validityDays position "
    "visibility archived margin",
    "Transaction": "id wallet kind credits balanceAfter version createdAt description reference "
    "actor cause allocations",
    "Purchase": "id wallet status refundState disputeState credits bonusCredits total tax "
    "wholesaleTotal stripeFee margin package paymentMethod clientSecret stripeAccountId "
    "publishableKey nextAction lastError receiptUrl stripePaymentIntentId attempts createdAt "
    "completedAt",
    "PaymentMethod": "id",
    "CreditLot": "id",
    "Plan": "id name whiteLabel",
    "ApiKey": "id",
    "Money": "amountMinor currency amount",
}


def test_schema_graphql_is_what_the_code_prints() -> None:
    assert (ROOT / "schema.graphql").read_text() == printed(schema), "run: make schema"


def _described(kind: GraphQLNamedType) -> Iterator[tuple[str, str | None]]:
    yield kind.name, kind.description
    if isinstance(kind, GraphQLEnumType):
        for name, value in kind.values.items():
            yield f"{kind.name}.{name}", value.description
    if isinstance(kind, GraphQLInputObjectType):
        for name, given in kind.fields.items():
            yield f"{kind.name}.{name}", given.description
    if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        for name, field in kind.fields.items():
            yield f"{kind.name}.{name}", field.description
            for argument, taken in field.args.items():
                yield f"{kind.name}.{name}({argument})", taken.description


@pytest.mark.parametrize("name", OWN_TYPES)
def test_everything_has_a_description(name: str) -> None:
    bare = [what for what, text in _described(OWN_TYPES[name]) if not (text or "").strip()]
    assert bare == []


def test_every_scalar_of_ours_names_its_specification() -> None:
    bare = [
        name
        for name, kind in OWN_TYPES.items()
        if isinstance(kind, GraphQLScalarType)
        and not (kind.specified_by_url or "").startswith("https://")
    ]
    assert bare == []


def _fields(root: GraphQLObjectType | None) -> dict[str, GraphQLField]:
    assert root is not None
    fields: dict[str, GraphQLField] = root.fields
    return fields


@pytest.mark.parametrize("name", _fields(BUILT.mutation_type))
def test_a_mutation_takes_one_input_and_answers_a_payload(name: str) -> None:
    field = _fields(BUILT.mutation_type)[name]
    begin = name[0].upper() + name[1:]
    assert {argument: str(taken.type) for argument, taken in field.args.items()} == {
        "input": f"{begin}Input!"
    }
    assert str(field.type) == f"{begin}Payload!"
    assert isinstance(field.type, GraphQLNonNull)
    payload = field.type.of_type
    assert isinstance(payload, GraphQLObjectType)
    assert str(payload.fields["userErrors"].type) == "[UserError!]!"
    needed = [
        other
        for other, answered in payload.fields.items()
        if isinstance(answered.type, GraphQLNonNull)
        and isinstance(answered.type.of_type, GraphQLObjectType)
    ]
    assert needed == [], "a refused mutation has nothing to put there"


@pytest.mark.parametrize("name", _fields(BUILT.mutation_type))
def test_what_moves_money_or_credits_needs_an_idempotency_key(name: str) -> None:
    given = BUILT.type_map[f"{name[0].upper()}{name[1:]}Input"]
    assert isinstance(given, GraphQLInputObjectType)
    key = given.fields.get("idempotencyKey")
    if name in MOVING_CREDITS_OR_MONEY:
        assert key is not None
        assert str(key.type) == "String!"
    else:
        assert key is None, "then it belongs to MOVING_CREDITS_OR_MONEY"


def test_the_agreed_names_are_there() -> None:
    assert QUERIES - set(_fields(BUILT.query_type)) == set()
    assert MUTATIONS - set(_fields(BUILT.mutation_type)) == set()
    assert SUBSCRIPTIONS - set(_fields(BUILT.subscription_type)) == set()


@pytest.mark.parametrize("name", FIELDS)
def test_the_agreed_fields_are_there(name: str) -> None:
    kind = BUILT.type_map[name]
    assert isinstance(kind, GraphQLObjectType)
    assert set(FIELDS[name].split()) - set(kind.fields) == set()


def test_every_object_with_an_id_is_a_node() -> None:
    for name, kind in OWN_TYPES.items():
        if isinstance(kind, GraphQLObjectType):
            is_node = "Node" in {interface.name for interface in kind.interfaces}
            assert is_node == ("id" in kind.fields and name not in ANSWERED_ONCE), name


def test_user_errors_are_closed_and_each_type_is_reachable() -> None:
    interface = BUILT.type_map["UserError"]
    assert isinstance(interface, GraphQLInterfaceType)
    shapes = {name: str(field.type) for name, field in interface.fields.items()}
    assert shapes == {"code": "ErrorCode!", "message": "String!", "field": "[String!]"}
    concrete = {kind.name for kind in BUILT.get_implementations(interface).objects}
    agreed = {
        "SimpleError", "InsufficientCreditsError", "BelowWholesaleError", "QuantityOutOfRangeError",
        "DuplicateSuspectedError",
    }  # fmt: skip
    assert agreed - concrete == set()


def test_lists_of_many_are_pages() -> None:
    pages = [name for name in OWN_TYPES if name.endswith("Connection")]
    assert pages
    for owner, name, field in _all_fields(BUILT):
        if str(field.type).rstrip("!") in pages:
            arguments = {argument: str(taken.type) for argument, taken in field.args.items()}
            assert arguments["first"] == "Int!", f"{owner}.{name}"
            assert arguments["after"] == "String", f"{owner}.{name}"


def _all_fields(built: GraphQLSchema) -> Iterator[tuple[str, str, Any]]:
    for owner, kind in built.type_map.items():
        if isinstance(kind, GraphQLObjectType) and not is_introspection_type(kind):
            yield from ((owner, name, field) for name, field in kind.fields.items())


def test_no_money_or_credits_as_a_float() -> None:
    assert "Float" not in BUILT.type_map


def test_names_are_those_of_the_language() -> None:
    for owner, name, _ in _all_fields(BUILT):
        assert re.fullmatch(r"[a-z][a-zA-Z0-9]*", name), f"{owner}.{name}"
    for name, kind in OWN_TYPES.items():
        assert re.fullmatch(r"[A-Z][a-zA-Z0-9]*", name)
        if isinstance(kind, GraphQLEnumType):
            assert [value for value in kind.values if not re.fullmatch("[A-Z0-9_]+", value)] == []
        if isinstance(kind, GraphQLUnionType):
            assert kind.types
