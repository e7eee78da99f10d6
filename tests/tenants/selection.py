"""Selections that reach every field of the schema: made from the schema alone.

A field is a leaf (scalars, and objects that lead to no other object with an id) or an edge (it
leads to such an object, through lists, pages and unions). `queries_below` walks along edges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

ARGUMENTS: Final = {
    "Agency.earnings": '(from: "2020-01-01T00:00:00Z", to: "2040-01-01T00:00:00Z")',
}
"""Of fields that cannot be asked for without. A page's `first` and `after` are not needed."""

_ERROR: Final = "UserError"


@dataclass(frozen=True)
class Edge:
    """A way from one object with an id to the next: text to open, text to close."""

    opened: str
    closed: str
    target: GraphQLObjectType


class Selections:
    """What can be asked of the types of one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self.asked: set[str] = set()

    def is_node(self, kind: GraphQLNamedType) -> bool:
        return isinstance(kind, GraphQLObjectType) and "Node" in {
            interface.name for interface in kind.interfaces
        }

    def everything(self, kind: GraphQLObjectType) -> str:
        """The leaves of `kind`, and those of everything one edge away, under an alias that ends
        with the field's name: two kinds behind one field may not agree on theirs."""
        below = " ".join(
            f"e{place}_{edge.opened.split()[0].split('(')[0]}: "
            f"{edge.opened} {self.leaves(edge.target)} {edge.closed}"
            for place, edge in enumerate(self.edges(kind))
        )
        return f"{self.leaves(kind)} {below}"

    def queries_below(self, kind: GraphQLObjectType, hops: int) -> Iterator[str]:
        """Selections on `kind` that together go along every path of up to `hops` + 1 edges."""
        yield self.everything(kind)
        if hops:
            for edge in self.edges(kind):
                for further in self.queries_below(edge.target, hops - 1):
                    yield f"__typename {edge.opened} {further} {edge.closed}"

    def leaves(self, kind: GraphQLObjectType, *, inside_error: bool = False) -> str:
        """All fields of `kind` that lead to no other object with an id."""
        parts = ["__typename"]
        for name, field in kind.fields.items():
            target = get_named_type(field.type)
            if is_leaf_type(target):
                parts.append(self._head(kind, name, field))
            elif target.name == _ERROR:
                if not inside_error:
                    parts.append(f"{self._head(kind, name, field)} {{ {self._error(target)} }}")
            elif not self.is_node(target) and isinstance(target, GraphQLObjectType):
                inside = self.leaves(target, inside_error=inside_error)
                parts.append(f"{self._head(kind, name, field)} {{ {inside} }}")
        return " ".join(parts)

    def edges(self, kind: GraphQLObjectType) -> list[Edge]:
        found: list[Edge] = []
        for name, field in kind.fields.items():
            target = get_named_type(field.type)
            if not self._leads_on(target):
                continue
            head = self._head(kind, name, field)
            for concrete in self._concrete(target):
                if self.is_node(concrete):
                    found.append(Edge(f"{head} {{ ... on {concrete.name} {{", "} }", concrete))
                elif self._leads_on(concrete):
                    found += [
                        Edge(
                            f"{head} {{ __typename {inner.opened}",
                            f"{inner.closed} }}",
                            inner.target,
                        )
                        for inner in self.edges(concrete)
                    ]
        return found

    def _head(self, kind: GraphQLObjectType, name: str, field: GraphQLField) -> str:
        self.asked.add(f"{kind.name}.{name}")
        arguments = ARGUMENTS.get(f"{kind.name}.{name}", "")
        needed = [
            argument
            for argument, taken in field.args.items()
            if isinstance(taken.type, GraphQLNonNull) and argument != "first"
        ]
        assert bool(needed) == bool(arguments), f"arrange the arguments of {kind.name}.{name}"
        return name + arguments

    def _error(self, kind: GraphQLNamedType) -> str:
        """A refusal of whatever kind, with the objects that it carries."""
        parts = ["__typename"]
        for concrete in self._concrete(kind):
            inside = self.leaves(concrete, inside_error=True)
            for name, field in concrete.fields.items():
                target = get_named_type(field.type)
                if isinstance(target, GraphQLObjectType) and self.is_node(target):
                    inside += f" {self._head(concrete, name, field)} {{ {self.leaves(target)} }}"
            parts.append(f"... on {concrete.name} {{ {inside} }}")
        return " ".join(parts)

    def _concrete(self, kind: GraphQLNamedType) -> list[GraphQLObjectType]:
        if isinstance(kind, GraphQLObjectType):
            return [kind]
        if isinstance(kind, GraphQLUnionType):
            return list(kind.types)
        if isinstance(kind, GraphQLInterfaceType):
            return list(self._schema.get_implementations(kind).objects)
        return []

    def _leads_on(self, kind: GraphQLNamedType, seen: frozenset[str] = frozenset()) -> bool:
        """True when `kind` is, or holds somewhere below, an object with an id."""
        if kind.name in seen or kind.name == _ERROR:
            return False
        return any(
            self.is_node(concrete)
            or any(
                self._leads_on(get_named_type(field.type), seen | {kind.name})
                for field in concrete.fields.values()
            )
            for concrete in self._concrete(kind)
        )
