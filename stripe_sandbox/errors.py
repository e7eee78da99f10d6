"""Stripe's error shape, and one constructor for each error that more than one noun raises.

Source: Stripe API reference, "Errors" and "Error codes".
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """An answer in Stripe's error shape. `facts` are further fields of the error object."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error: Json = {"type": kind, "message": message}
        if code is not None:
            self.error["code"] = code
            self.error["doc_url"] = f"https://docs.stripe.com/error-codes/{code.replace('_', '-')}"
        if param is not None:
            self.error["param"] = param
        self.error.update({name: fact for name, fact in facts.items() if fact is not None})

    def body(self) -> Json:
        """The JSON body of the answer."""
        return {"error": self.error}


def missing(noun: str, object_id: str, *, param: str = "id", status: int = 404) -> ApiError:
    """No such object in this account: 404 for an id in the path, 400 for one in a parameter."""
    message = f"No such {noun}: '{object_id}'"
    return ApiError(status, message, code="resource_missing", param=param)


def required(param: str) -> ApiError:
    """A required parameter is absent."""
    return ApiError(400, f"Missing required param: {param}.", code="parameter_missing", param=param)


def invalid(param: str, message: str, *, code: str | None = None) -> ApiError:
    """A parameter has a value that cannot be used."""
    return ApiError(400, message, code=code, param=param)


def no_access(account: str) -> ApiError:
    """The account does not exist, or it has disconnected the platform. See Stripe, "Connect"."""
    message = (
        f"The provided key does not have access to account '{account}' (or that account does not "
        "exist). Application access may have been revoked."
    )
    return ApiError(403, message, code="account_invalid")
