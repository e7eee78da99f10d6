from gateway.auth.viewer import Scope
from schema.enums import described

__all__ = ["Scope"]

described(
    Scope,
    "What an API key may do.",
    {
        Scope.READ: "Read and subscribe.",
        Scope.PURCHASE: "Buy credits and keep cards.",
        Scope.SPEND: "Spend credits.",
        Scope.MANAGE: "Daily work of an agency; only for keys of a whole agency.",
    },
)
