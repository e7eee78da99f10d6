"""Who may call what. Decided once per operation root, before anything is read."""

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import strawberry

from gateway.auth.viewer import Role, Scope, Viewer
from gateway.errors import AccessDenied, Forbidden, Refusal
from schema.context import Info
from schema.errors import to_user_error


@dataclass(frozen=True, slots=True)
class Allow:
    """Signed-in people with one of `roles`, and API keys with `scope`. `agency_wide` keeps out
    API keys that are bound to one sub-account."""

    roles: frozenset[Role]
    scope: Scope | None
    agency_wide: bool = False

    def admits(self, viewer: Viewer) -> bool:
        if viewer.role is not Role.SERVICE:
            return viewer.role in self.roles
        if self.agency_wide and viewer.sub_account_id is not None:
            return False
        return self.scope is not None and viewer.may(self.scope)


PLATFORM: Final = Allow(frozenset({Role.ADMIN}), None)
OWNERS: Final = Allow(frozenset({Role.ADMIN, Role.OWNER}), None)
"""Money and keys of an agency: its owners, and the platform."""
AGENCY: Final = Allow(
    frozenset({Role.ADMIN, Role.OWNER, Role.STAFF}), Scope.MANAGE, agency_wide=True
)
"""Daily work of an agency."""
BUYERS: Final = Allow(frozenset({Role.BILLING}), Scope.PURCHASE)
SPENDERS: Final = Allow(frozenset({Role.ADMIN}), Scope.SPEND)
READERS: Final = Allow(frozenset(Role) - {Role.SERVICE}, Scope.READ)
AGENCY_READERS: Final = Allow(
    frozenset({Role.ADMIN, Role.OWNER, Role.STAFF}), Scope.READ, agency_wide=True
)

PayloadT = TypeVar("PayloadT")


def require(viewer: Viewer, allow: Allow) -> None:
    """Raises AccessDenied (a top-level FORBIDDEN) for a viewer whom `allow` does not admit."""
    if not allow.admits(viewer):
        raise AccessDenied("Your role or scope does not include this.")


def mutation(
    payload: Callable[..., PayloadT], *, allow: Allow, description: str
) -> Callable[[Callable[..., Awaitable[PayloadT]]], Any]:
    """A mutation `(self, info, input) -> payload`: refusals become the payload's `userErrors`."""

    def wrap(resolve: Callable[..., Awaitable[PayloadT]]) -> Any:
        @functools.wraps(resolve)
        async def guarded(self: object, info: Info, input: object) -> PayloadT:
            viewer = info.context.viewer
            try:
                if not allow.admits(viewer):
                    raise Forbidden("Your role or scope does not include this.")
                with info.context.loaders.answering():
                    return await resolve(self, info, input)
            except Refusal as refusal:
                error = to_user_error(refusal, agency_side=viewer.sees_agency_side)
                return payload(user_errors=[error])

        field = strawberry.mutation(resolver=guarded, description=description)
        for argument in field.arguments:
            argument.description = "What is wanted; its fields say how."
        return field

    return wrap
