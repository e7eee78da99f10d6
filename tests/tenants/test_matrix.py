"""Nothing of one tenant reaches another, through any operation, field or argument of the schema.

A foreign id answers exactly like one that nobody has, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
)

from tests.harness import Harness
from tests.tenants.arrangement import (
    BLIND,
    MUTATIONS,
    QUERIES,
    SEES,
    STRANGERS,
    SUBSCRIPTIONS,
    Ids,
    foreign_ids,
    own_ids,
    unknown_ids,
)
from tests.tenants.asking import (
    SCHEMA,
    SELECTIONS,
    Asker,
    filled,
    nouns_in,
    query_of,
    whole_database,
)
from tests.tenants.world import World

pytestmark = pytest.mark.anyio

_ATTACKERS: Final = ("owner-a", "staff-a", "key-a", "billing-a1", "member-a1", "key-a1", "owner-b")
_EVERYBODY: Final = (*SEES, BLIND, *STRANGERS)
_KIND_OF: Final = {
    "agency": "Agency",
    "sub_account": "SubAccount",
    "wallet": "Wallet",
    "purchase": "Purchase",
    "payment_method": "PaymentMethod",
    "package": "CreditPackage",
    "api_key": "ApiKey",
    "lot": "CreditLot",
    "transaction": "Transaction",
    "plan": "Plan",
}


def _node_query(noun: str, selection: str) -> str:
    fragment = f"__typename ... on {_KIND_OF[noun]} {{ {selection} }}"
    return query_of("query", "node", {"id": ""}, fragment)


def _root_selection(operation: str, name: str) -> str:
    root = {
        "query": SCHEMA.query_type,
        "mutation": SCHEMA.mutation_type,
        "subscription": SCHEMA.subscription_type,
    }[operation]
    assert root is not None
    SELECTIONS.asked.add(f"{root.name}.{name}")
    kind = get_named_type(root.fields[name].type)
    if isinstance(kind, GraphQLInterfaceType):
        inside = (
            f"... on {concrete.name} {{ id }}"
            for concrete in SCHEMA.get_implementations(kind).objects
        )
        return f"__typename {' '.join(inside)}"
    assert isinstance(kind, GraphQLObjectType)
    return SELECTIONS.everything(kind)


# The matrix knows the whole schema


def test_every_operation_is_arranged() -> None:
    for root, known in (
        (SCHEMA.query_type, QUERIES),
        (SCHEMA.mutation_type, MUTATIONS),
        (SCHEMA.subscription_type, SUBSCRIPTIONS),
    ):
        assert root is not None
        assert set(root.fields) == set(known)
    kinds = {name for name, kind in SCHEMA.type_map.items() if SELECTIONS.is_node(kind)}
    assert kinds == set(_KIND_OF.values())


def test_every_field_is_asked_for() -> None:
    for operation, known in (
        ("query", QUERIES),
        ("mutation", MUTATIONS),
        ("subscription", SUBSCRIPTIONS),
    ):
        for name in known:
            _root_selection(operation, name)
    for kind in _KIND_OF.values():
        node = SCHEMA.type_map[kind]
        assert isinstance(node, GraphQLObjectType)
        for _ in SELECTIONS.queries_below(node, 1):
            pass
    present = {
        f"{kind.name}.{name}"
        for kind in SCHEMA.type_map.values()
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")
        for name in kind.fields
    }
    # The way along an edge is asked as the edge itself.
    assert present - SELECTIONS.asked == set()


def _id_places(kind: GraphQLInputType, path: str) -> Iterator[str]:
    named = get_named_type(kind)
    if named.name == "ID":
        yield path
    if isinstance(named, GraphQLInputObjectType):
        for name, taken in named.fields.items():
            yield from _id_places(taken.type, f"{path}.{name}")


def _filled_places(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("$"):
        yield path
    if isinstance(value, list):
        for entry in value:
            yield from _filled_places(entry, path)
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from _filled_places(entry, f"{path}.{name}")


def test_every_argument_that_takes_an_id_is_attacked() -> None:
    for root, known in (
        (SCHEMA.query_type, QUERIES),
        (SCHEMA.subscription_type, SUBSCRIPTIONS),
        (SCHEMA.mutation_type, MUTATIONS),
    ):
        assert root is not None
        for name, field in root.fields.items():
            taken = {
                place
                for argument, given in field.args.items()
                for place in _id_places(
                    given.type, name if argument == "input" else f"{name}.{argument}"
                )
            }
            attacked = {
                place for given in known[name].inputs for place in _filled_places(given, name)
            }
            assert taken - attacked == set(), "arrange it"


_NESTED_ARGUMENTS: Final = {
    "first", "after", "Agency.purchases(filter)", "Agency.earnings(from)", "Agency.earnings(to)",
}  # fmt: skip


def test_every_nested_argument_is_known() -> None:
    roots = {SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type}
    present = {
        argument if argument in {"first", "after"} else f"{kind.name}.{name}({argument})"
        for kind in SCHEMA.type_map.values()
        if isinstance(kind, GraphQLObjectType)
        and kind not in roots
        and not kind.name.startswith("__")
        for name, field in kind.fields.items()
        for argument in field.args
    }
    assert present == _NESTED_ARGUMENTS
    filters = SCHEMA.type_map["PurchaseFilter"]
    assert isinstance(filters, GraphQLInputObjectType)
    assert set(filters.fields) == {"statuses", "subAccountId", "createdFrom", "createdBefore"}


# Reading


@pytest.mark.parametrize("who", SEES)
async def test_along_every_path_from_what_is_theirs(run: Harness, world: World, who: str) -> None:
    asker, ids = Asker(run, world, who), own_ids(world, who)
    for noun, kind in _KIND_OF.items():
        node = SCHEMA.type_map[kind]
        assert isinstance(node, GraphQLObjectType)
        for selection in SELECTIONS.queries_below(node, 2):
            await asker.ask(_node_query(noun, selection), {"id": ids[noun]}, {})
    for name in ("viewer", "agencies", "plans"):
        await asker.ask(query_of("query", name, {}, _root_selection("query", name)), {}, {})


@pytest.mark.parametrize("who", _ATTACKERS)
async def test_a_foreign_node_is_an_unknown_node(run: Harness, world: World, who: str) -> None:
    asker, unknown = Asker(run, world, who), unknown_ids()
    for ids in foreign_ids(world, who).values():
        for noun in set(ids) & set(_KIND_OF):
            node = SCHEMA.type_map[_KIND_OF[noun]]
            assert isinstance(node, GraphQLObjectType)
            query = _node_query(noun, SELECTIONS.everything(node))
            foreign = await asker.ask(query, {"id": ids[noun]}, {noun: ids[noun]})
            nobody = await asker.ask(query, {"id": unknown[noun]}, {noun: unknown[noun]})
            assert foreign.body["data"]["node"] is None, noun
            assert foreign.comparable == nobody.comparable


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("who", _ATTACKERS)
async def test_a_query_with_a_foreign_id_is_one_with_an_unknown_id(
    run: Harness, world: World, who: str, name: str
) -> None:
    asker = Asker(run, world, who)
    selection = _root_selection("query", name)
    for given, foreign, unknown in _mixed(world, who, QUERIES[name].inputs):
        query = query_of("query", name, given, selection)
        theirs = await asker.ask(query, filled(given, foreign), foreign)
        nobody = await asker.ask(query, filled(given, unknown), unknown)
        assert theirs.comparable == nobody.comparable
        if "agencyId" in given and who in QUERIES[name].allowed:
            assert "No agency with this id is visible to you." in theirs.text
        else:
            assert set(theirs.codes) <= {"FORBIDDEN"}, theirs.text


def _mixed(
    world: World, who: str, inputs: tuple[dict[str, Any], ...]
) -> Iterator[tuple[dict[str, Any], Ids, Ids]]:
    """For each input and each of its ids: all the asker's own but this one, which is foreign in
    the first set of ids and nobody's in the second."""
    own, unknown = own_ids(world, who), unknown_ids()
    for given in inputs:
        for others in foreign_ids(world, who).values():
            for noun in sorted(nouns_in(given) & set(others)):
                rest = {other: own[other] for other in nouns_in(given)}
                yield given, {**rest, noun: others[noun]}, {**rest, noun: unknown[noun]}
            every = nouns_in(given) & set(others)
            if len(every) > 1:
                rest = {other: own[other] for other in nouns_in(given) - every}
                yield (
                    given,
                    {**rest, **{noun: others[noun] for noun in every}},
                    {**rest, **{noun: unknown[noun] for noun in every}},
                )


@pytest.mark.parametrize("who", ["owner-a", "key-a", "billing-a1", "key-a1", "owner-b"])
async def test_a_filter_finds_nothing_of_others(run: Harness, world: World, who: str) -> None:
    asker, own, unknown = Asker(run, world, who), own_ids(world, who), unknown_ids()
    query = (
        "query($agency: ID!, $client: ID!) { agency(id: $agency) { purchases(filter: "
        "{subAccountId: $client}) { nodes { id credits } pageInfo { endCursor } } } }"
    )
    for ids in foreign_ids(world, who).values():
        if "sub_account" in ids:
            answers = [
                await asker.ask(
                    query, {"agency": own["agency"], "client": client}, {"sub_account": client}
                )
                for client in (ids["sub_account"], unknown["sub_account"])
            ]
            assert answers[0].body["data"]["agency"]["purchases"]["nodes"] == []
            assert answers[0].comparable == answers[1].comparable


_PAGES: Final = (
    ("agency", "subAccounts"),
    ("agency", "transactions"),
    ("agency", "purchases"),
    ("wallet", "transactions"),
    ("wallet", "purchases"),
    ("wallet", "lots"),
)


@pytest.mark.parametrize(("noun", "page"), _PAGES, ids=[".".join(place) for place in _PAGES])
async def test_a_foreign_cursor_leads_to_no_foreign_row(
    run: Harness, world: World, noun: str, page: str
) -> None:
    everything = _root_selection("query", noun)
    query = (
        f"query($id: ID!, $after: String) {{ {noun}(id: $id) {{ {page}(after: $after) "
        "{ edges { cursor } nodes { id } } } }"
    )
    theirs = await Asker(run, world, "owner-b").ask(
        query, {"id": own_ids(world, "owner-b")[noun]}, {}
    )
    cursors = [edge["cursor"] for edge in theirs.body["data"][noun][page]["edges"]]
    assert cursors
    for who in ("owner-a", "billing-a1"):
        for cursor in cursors:
            asker = Asker(run, world, who)
            variables = {"id": own_ids(world, who)[noun], "after": cursor}
            assert (await asker.ask(query, variables, {"cursor": cursor})).status == 200
            for ids in foreign_ids(world, who).values():
                if noun in ids:
                    found = await asker.ask(
                        query, {"id": ids[noun], "after": cursor}, {"cursor": cursor}
                    )
                    assert found.body["data"][noun] is None
    assert page in everything


def test_every_page_is_among_those_with_a_foreign_cursor() -> None:
    pages = {
        (kind.name.lower(), name)
        for kind in SCHEMA.type_map.values()
        if isinstance(kind, GraphQLObjectType) and SELECTIONS.is_node(kind)
        for name, field in kind.fields.items()
        if "after" in field.args
    }
    assert pages == set(_PAGES)


# Changing


@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize("who", [*_ATTACKERS, BLIND])
async def test_a_mutation_with_a_foreign_id_is_refused_as_unknown(
    run: Harness, world: World, world_url: str, who: str, name: str
) -> None:
    asker = Asker(run, world, who)
    before = await whole_database(world_url)
    selection = _root_selection("mutation", name)
    query = query_of("mutation", name, {"input": ""}, selection)
    expected = {"NOT_FOUND"} if who in MUTATIONS[name].allowed else {"FORBIDDEN"}
    if name == "completeStripeOAuth" and who in MUTATIONS[name].allowed:
        expected = {"INVALID_INPUT"}
    for given, foreign, unknown in _mixed(world, who, MUTATIONS[name].inputs):
        theirs = await asker.ask(query, {"input": filled(given, foreign)}, foreign)
        nobody = await asker.ask(query, {"input": filled(given, unknown)}, unknown)
        assert set(theirs.codes) == expected, theirs.text
        assert theirs.comparable == nobody.comparable
    assert await whole_database(world_url) == before


@pytest.mark.parametrize("name", MUTATIONS)
async def test_whom_a_mutation_is_not_for_is_refused_on_their_own_too(
    run: Harness, world: World, world_url: str, name: str
) -> None:
    before = await whole_database(world_url)
    query = query_of("mutation", name, {"input": ""}, _root_selection("mutation", name))
    for who in sorted({*SEES, BLIND} - MUTATIONS[name].allowed):
        own = own_ids(world, who)
        for given in MUTATIONS[name].inputs:
            asker = Asker(run, world, who)
            reply = await asker.ask(query, {"input": filled(given, own)}, own)
            assert reply.codes == ["FORBIDDEN"], (who, reply.text)
    assert await whole_database(world_url) == before


@pytest.mark.parametrize("name", QUERIES)
async def test_whom_a_query_is_not_for_is_refused_on_their_own_too(
    run: Harness, world: World, name: str
) -> None:
    for who in sorted({*SEES, BLIND} - QUERIES[name].allowed):
        own = own_ids(world, who)
        for given in QUERIES[name].inputs:
            query = query_of("query", name, given, _root_selection("query", name))
            reply = await Asker(run, world, who).ask(query, filled(given, own), own)
            assert reply.codes == ["FORBIDDEN"], (who, reply.text)
            assert not any((reply.body.get("data") or {}).values())


# Without proof


@pytest.mark.parametrize("who", STRANGERS)
async def test_without_proof_there_is_no_answer(
    run: Harness, world: World, world_url: str, who: str
) -> None:
    asker, ids = Asker(run, world, who), own_ids(world, "owner-a")
    before = await whole_database(world_url)
    for operation, known in (("query", QUERIES), ("mutation", MUTATIONS)):
        for name, arranged in known.items():
            selection = _root_selection(operation, name)
            for given in arranged.inputs:
                variables = {"input": given} if operation == "mutation" else given
                query = query_of(operation, name, variables, selection)
                reply = await asker.ask(query, filled(variables, ids), {})
                assert reply.status == 401
                assert reply.codes == ["UNAUTHENTICATED"]
                assert "data" not in reply.body
                expired = reply.body["errors"][0]["extensions"].get("expired", False)
                assert expired == (who == "expired")
    assert await whole_database(world_url) == before


@pytest.mark.parametrize("name", SUBSCRIPTIONS)
async def test_a_subscription_to_what_is_not_theirs_ends_at_once(
    run: Harness, world: World, name: str
) -> None:
    arranged = SUBSCRIPTIONS[name]
    for who in (*_ATTACKERS, BLIND):
        asker = Asker(run, world, who)
        for given, foreign, unknown in _mixed(world, who, arranged.inputs):
            query = query_of("subscription", name, given, _root_selection("subscription", name))
            theirs = await asker.stream(query, filled(given, foreign), foreign)
            nobody = await asker.stream(query, filled(given, unknown), unknown)
            assert theirs == nobody
            assert '"errors"' in theirs[1]
    own = own_ids(world, "owner-a")
    for who in STRANGERS:
        for given in arranged.inputs:
            query = query_of("subscription", name, given, _root_selection("subscription", name))
            status, text = await Asker(run, world, who).stream(query, filled(given, own), own)
            assert status == 401
            assert "UNAUTHENTICATED" in text


# The matrix itself can see


async def test_each_may_see_what_is_theirs(run: Harness, world: World) -> None:
    """Without this, an API that answers nothing would pass."""
    filled_fields: set[str] = set()
    for who, owners in SEES.items():
        asker, ids, texts = Asker(run, world, who), own_ids(world, who), []
        for noun in ("agency", "sub_account", "wallet", "purchase", "api_key", "package"):
            node = SCHEMA.type_map[_KIND_OF[noun]]
            assert isinstance(node, GraphQLObjectType)
            for selection in SELECTIONS.queries_below(node, 1):
                query = _node_query(noun, selection)
                texts.append((await asker.ask(query, {"id": ids[noun]}, {})).text)
        for name, arranged in QUERIES.items():
            for given in arranged.inputs if who in arranged.allowed else ():
                query = query_of("query", name, given, _root_selection("query", name))
                await asker.ask(query, filled(given, ids), {})
        for owner in owners if who != "platform" else {"shop-a", "office-a", "client-a2"}:
            assert world.found_in("".join(texts), {owner}), f"{who} cannot see {owner}"
        filled_fields |= asker.seen
    kinds = {name.partition(".")[0] for name in filled_fields}
    asked = {name for name in SELECTIONS.asked if name.partition(".")[0] in kinds}
    # A block is about the wallet and about no field of the input.
    assert asked - filled_fields == {"WalletBlockedError.field"}, "fill it in the world"
