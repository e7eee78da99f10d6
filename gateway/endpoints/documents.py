"""Parsed and validated documents, remembered by their text."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256

from graphql import (
    DocumentNode,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)

from gateway.endpoints.answers import Rejected, entries_of, rejected
from gateway.endpoints.limits import Limits, check_limits
from gateway.errors import BadUserInput, QueryTooCostly

_ERRORS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Document:
    """A document that passed the limits and validation."""

    node: DocumentNode
    chars: int
    operations: dict[str | None, OperationType]

    def kind(self, operation_name: str | None) -> OperationType:
        """The kind of the operation that the request means.

        Raises BadUserInput when no operation has this name, or when the document has several and
        none is named. See the GraphQL specification, "GetOperation"."""
        if operation_name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if operation_name is None:
            raise BadUserInput("operationName is needed: the document has several operations.")
        if operation_name not in self.operations:
            raise BadUserInput("The document has no operation of the name in operationName.")
        return self.operations[operation_name]


class Documents:
    """The documents of one schema. Remembers good ones up to a number of characters and refused
    ones up to a number of entries, dropping those unused for longest."""

    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        self._schema = schema
        self._limits = limits
        self._good: OrderedDict[bytes, Document] = OrderedDict()
        self._good_chars = 0
        self._refused: OrderedDict[bytes, Rejected] = OrderedDict()

    def get(self, text: str) -> Document:
        """The document of this text, parsed, within the limits and valid.

        Raises Rejected: BAD_USER_INPUT for text that is no document of this schema,
        QUERY_TOO_COSTLY for one that passes a limit."""
        if len(text) > self._limits.document_chars:
            raise rejected(_too_costly("document_chars", self._limits.document_chars))
        key = sha256(text.encode()).digest()
        if key in self._good:
            self._good.move_to_end(key)
            return self._good[key]
        if key in self._refused:
            self._refused.move_to_end(key)
            raise Rejected(self._refused[key].entries, cause=self._refused[key].cause)
        return self._read(key, text)

    def _read(self, key: bytes, text: str) -> Document:
        try:
            document = Document(self._valid(text), len(text), operations := {})
        except Rejected as refusal:
            self._refused[key] = Rejected(refusal.entries, cause=refusal.cause)
            if len(self._refused) > self._limits.cached_refusals:
                self._refused.popitem(last=False)
            raise
        for definition in document.node.definitions:
            if isinstance(definition, OperationDefinitionNode):
                name = definition.name.value if definition.name else None
                operations[name] = definition.operation
        self._remember(key, document)
        return document

    def _remember(self, key: bytes, document: Document) -> None:
        self._good[key] = document
        self._good_chars += document.chars
        while self._good_chars > self._limits.cached_document_chars:
            _, dropped = self._good.popitem(last=False)
            self._good_chars -= dropped.chars

    def _valid(self, text: str) -> DocumentNode:
        try:
            node = self._parsed(text)
            check_limits(node, self._limits)
            errors = validate(self._schema, node, max_errors=_ERRORS_SHOWN, hide_suggestions=True)
        except QueryTooCostly as error:
            raise rejected(error) from None
        except RecursionError:
            raise rejected(_too_costly("depth", self._limits.depth)) from None
        if errors:
            raise Rejected(entries_of(errors[:_ERRORS_SHOWN]))
        return node

    def _parsed(self, text: str) -> DocumentNode:
        limits = self._limits
        try:
            return parse(text, max_lexical_tokens=limits.tokens, max_comments=limits.comments)
        except GraphQLSyntaxError as error:
            for word, name in _PARSER_LIMITS.items():
                if word in error.message and "Parsing aborted" in error.message:
                    raise _too_costly(name, getattr(limits, name)) from None
            raise Rejected(entries_of([error])) from None


# How graphql-core's parser words the limits it keeps, and what we call them.
_PARSER_LIMITS = {" tokens.": "tokens", " comments.": "comments", "nested too deeply": "depth"}


def _too_costly(name: str, allowed: int) -> QueryTooCostly:
    return QueryTooCostly(f"The document passes the limit {name}: {allowed} are allowed.")
