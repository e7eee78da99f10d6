"""Runs one GraphQL operation on the core schema of Strawberry's schema."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

import strawberry
from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema, OperationType
from graphql.execution import (
    Executor,
    create_source_event_stream,
    execute_subscription_event,
    map_source_to_response_event,
)

from gateway.auth.viewer import Viewer
from gateway.endpoints.answers import Json, Rejected, body_of, entries_of, rejected
from gateway.endpoints.documents import Documents
from gateway.endpoints.limits import Limits
from gateway.endpoints.requests import GraphQLRequest
from gateway.errors import ConflictRetry, QueryTooCostly

_COERCION_ERRORS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Operation:
    """A request whose document is known to be good; its variables are still unread."""

    node: DocumentNode
    kind: OperationType
    request: GraphQLRequest


@dataclass(frozen=True, slots=True)
class Caller:
    """Who runs an operation. `unfinished`: the mutations that go on after their caller stopped
    waiting; whoever made this object waits for them before it lets go of the connection."""

    viewer: Viewer
    request_id: str
    unfinished: set[asyncio.Task[ExecutionResult]] = field(default_factory=set)


class Engine:
    """Everything between a GraphQL request and its answer; knows nothing about transports.

    make_context is called once per operation, and once more per event of a subscription, so that
    what a context remembers (data loaders) is never older than the event."""

    def __init__(
        self,
        *,
        schema: strawberry.Schema,
        make_context: Callable[[Viewer, str], object],
        limits: Limits,
    ) -> None:
        if schema.get_extensions():
            raise ValueError("Schema extensions would not run here: give the schema none.")
        self._make_context = make_context
        self._limits = limits
        # Strawberry keeps graphql-core's schema under no public name.
        self._schema: GraphQLSchema = schema._schema  # noqa: SLF001
        self._executor_class = cast("type[Executor[Any]]", schema.execution_context_class)
        self._documents = Documents(self._schema, limits)

    def prepare(self, request: GraphQLRequest) -> Operation:
        """Find, check and validate the request's document and choose its operation.

        Raises Rejected."""
        try:
            document = self._documents.get(request.query)
            kind = document.kind(request.operation_name)
        except Rejected:
            raise
        except Exception as error:
            raise rejected(error) from error
        return Operation(document.node, kind, request)

    async def execute(self, operation: Operation, caller: Caller) -> Json:
        """The answer of a query or a mutation, `data` included.

        Raises Rejected: BAD_USER_INPUT for variables that do not fit, QUERY_TOO_COSTLY for a
        query past its deadline. A mutation is never cut: past the deadline, or when the caller is
        cancelled, it goes on in `caller.unfinished`, and the caller who still waits is told
        CONFLICT_RETRY."""
        executor = self._executor(operation, caller)
        try:
            if operation.kind is OperationType.MUTATION:
                result = await self._finish(executor, caller)
            else:
                result = await self._in_time(executor.execute_operation)
        except Rejected:
            raise
        except Exception as error:
            raise rejected(error) from error
        return body_of(result.data, result.errors, request_id=caller.request_id)

    async def stream(self, operation: Operation, caller: Caller) -> AsyncGenerator[Json, None]:
        """The answers of a subscription, one per event; a query or a mutation gives its one.

        The next event is not asked for before the last was taken, so a slow reader holds back
        its source. Raises Rejected as execute(), and when the source of events fails."""
        if operation.kind is not OperationType.SUBSCRIPTION:
            yield await self.execute(operation, caller)
            return
        executor = self._executor(operation, caller)
        try:
            async with aclosing(await self._events(executor, caller)) as events:
                async for result in events:
                    yield body_of(result.data, result.errors, request_id=caller.request_id)
        except Rejected:
            raise
        except Exception as error:
            raise rejected(error) from error

    def _executor(self, operation: Operation, caller: Caller) -> Executor[Any]:
        request = operation.request
        executor = self._executor_class.build(
            self._schema,
            operation.node,
            context_value=self._make_context(caller.viewer, caller.request_id),
            raw_variable_values=request.variables,
            operation_name=request.operation_name,
            max_coercion_errors=_COERCION_ERRORS_SHOWN,
            hide_suggestions=True,
            operation_extensions=request.extensions,
        )
        if isinstance(executor, list):
            raise Rejected(entries_of(executor))
        return executor

    async def _in_time(self, start: Callable[[], Any]) -> ExecutionResult:
        started = start()
        if isinstance(started, ExecutionResult):
            return started
        try:
            async with asyncio.timeout(self._limits.deadline_s):
                return await cast("Awaitable[ExecutionResult]", started)
        except TimeoutError:
            raise rejected(self._too_slow()) from None

    async def _finish(self, executor: Executor[Any], caller: Caller) -> ExecutionResult:
        task = asyncio.create_task(_run(executor))
        caller.unfinished.add(task)
        task.add_done_callback(caller.unfinished.discard)
        # Unlike wait_for, wait leaves the task alone when it gives up or is cancelled itself.
        done, _ = await asyncio.wait({task}, timeout=self._limits.deadline_s)
        if not done:
            raise rejected(
                ConflictRetry(
                    f"This did not finish within {self._limits.deadline_s:g} seconds and goes on: "
                    "its outcome is unknown. Repeat it with the same idempotency key to learn it."
                )
            )
        return task.result()

    async def _events(
        self, executor: Executor[Any], caller: Caller
    ) -> AsyncGenerator[ExecutionResult, None]:
        def execute_event(event: Executor[Any]) -> Awaitable[ExecutionResult]:
            event.context_value = self._make_context(caller.viewer, caller.request_id)
            return self._in_time(lambda: execute_subscription_event(event))

        source = create_source_event_stream(executor)
        if isinstance(source, Awaitable):
            try:
                async with asyncio.timeout(self._limits.deadline_s):
                    source = await source
            except TimeoutError:
                raise rejected(self._too_slow()) from None
        if isinstance(source, ExecutionResult):
            raise Rejected(entries_of(cast("list[GraphQLError]", source.errors)))
        return map_source_to_response_event(executor, source, execute_event)

    def _too_slow(self) -> QueryTooCostly:
        return QueryTooCostly(
            f"The operation passes the limit deadline_s: {self._limits.deadline_s:g} seconds are "
            "allowed. Ask for less at once: fewer fields or smaller pages."
        )


async def _run(executor: Executor[Any]) -> ExecutionResult:
    result = executor.execute_operation()
    if isinstance(result, Awaitable):
        result = await result
    return cast("ExecutionResult", result)
