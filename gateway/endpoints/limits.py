"""The bounds of a request, and one pass over a document that holds it to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from gateway.errors import QueryTooCostly


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Every bound of the GraphQL endpoints; each refusal names the one that was passed.

    Counts of a document are taken as it would be read out in full: what a fragment holds counts
    once per spread. Depth counts the fields that have a selection of their own."""

    # Of the transport.
    body_bytes: int = 256_000
    body_timeout_s: float = 15
    frame_bytes: int = 64_000
    url_bytes: int = 16_000
    # Of the document.
    document_chars: int = 32_000
    tokens: int = 2_000
    comments: int = 200
    depth: int = 10
    # The usual introspection query is 13 levels deep: it has a bound of its own.
    introspection_depth: int = 15
    fields: int = 500
    root_fields: int = 20
    aliases: int = 30
    directives: int = 20
    variables: int = 50
    # Of the values.
    json_depth: int = 20
    # Of the run.
    deadline_s: float = 10
    # Of a connection that stays.
    init_timeout_s: float = 5
    subscriptions_per_socket: int = 20
    sockets_per_subject: int = 50
    messages_per_second: int = 50
    message_burst: int = 100
    send_timeout_s: float = 30
    ping_interval_s: float = 25
    pong_timeout_s: float = 20
    keep_alive_s: float = 12
    # Of the memory for known documents: about 300 bytes a character at worst.
    cached_document_chars: int = 400_000
    cached_refusals: int = 256


def check_limits(document: DocumentNode, limits: Limits) -> None:
    """Refuse a parsed document that passes a limit.

    Raises QueryTooCostly, naming the limit and its value. Takes time in the size of the text,
    however often its fragments spread each other. A fragment that spreads itself is left to
    validation. The fields of each fragment count even where nothing spreads it, since validation
    compares them with each other all the same."""
    survey = _Survey(document)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            for name, measured in survey.of_operation(definition).measures():
                _hold(name, measured, limits)
        elif isinstance(definition, FragmentDefinitionNode):
            _hold("fields", survey.of_fragment(definition.name.value).fields, limits)


def _hold(name: str, measured: int, limits: Limits) -> None:
    allowed: int = getattr(limits, name)
    if measured > allowed:
        raise QueryTooCostly(
            f"The document passes the limit {name}: {_shown(measured)}, and {allowed} are allowed."
        )


@dataclass(slots=True)
class _Size:
    """What a part of a document comes to when read out in full."""

    depth: int = 0
    introspection_depth: int = 0
    fields: int = 0
    root_fields: int = 0
    aliases: int = 0
    directives: int = 0
    variables: int = 0

    def measures(self) -> Iterator[tuple[str, int]]:
        for name in self.__slots__:
            yield name, getattr(self, name)

    def add(self, other: _Size) -> None:
        """Put `other` beside this part, in the same selection."""
        self.depth = max(self.depth, other.depth)
        self.introspection_depth = max(self.introspection_depth, other.introspection_depth)
        self.fields += other.fields
        self.root_fields += other.root_fields
        self.aliases += other.aliases
        self.directives += other.directives


class _Survey:
    """One pass over a document; each fragment is measured once."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._known: dict[str, _Size] = {}

    def of_operation(self, operation: OperationDefinitionNode) -> _Size:
        size = self._of_selections(operation.selection_set)
        declared = operation.variable_definitions or ()
        size.variables = len(declared)
        size.directives += len(operation.directives or ())
        size.directives += sum(len(variable.directives or ()) for variable in declared)
        return size

    def of_fragment(self, name: str) -> _Size:
        known = self._known.get(name)
        if known is None:
            # Entered before it is measured, so that a fragment inside itself counts as nothing.
            self._known[name] = _Size()
            fragment = self._fragments.get(name)
            known = _Size() if fragment is None else self._of_body(fragment)
            self._known[name] = known
        return known

    def _of_body(self, fragment: FragmentDefinitionNode) -> _Size:
        size = self._of_selections(fragment.selection_set)
        size.directives += len(fragment.directives or ())
        return size

    def _of_selections(self, selections: SelectionSetNode) -> _Size:
        size = _Size()
        for selection in selections.selections:
            size.add(self._of_selection(selection))
            size.directives += len(selection.directives or ())
        return size

    def _of_selection(self, selection: SelectionNode) -> _Size:
        if isinstance(selection, FieldNode):
            return self._of_field(selection)
        if isinstance(selection, FragmentSpreadNode):
            return self.of_fragment(selection.name.value)
        if isinstance(selection, InlineFragmentNode):
            return self._of_selections(selection.selection_set)
        raise TypeError(f"Unknown kind of selection: {selection.kind}")

    def _of_field(self, field: FieldNode) -> _Size:
        size = _Size() if field.selection_set is None else self._of_selections(field.selection_set)
        size.fields += 1
        size.root_fields = 1
        size.aliases += field.alias is not None
        if field.name.value in ("__schema", "__type"):
            # Below these two every level belongs to introspection, which has its own bound.
            size.introspection_depth = size.depth + 1
            size.depth = 0
        elif field.selection_set is not None:
            size.depth += 1
        return size


def _shown(measured: int) -> str:
    # Fragments that spread twice reach numbers with thousands of digits.
    return str(measured) if measured < 1_000_000 else "more than a million"
