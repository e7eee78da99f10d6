"""Types of modules that import the asking module back: found when they are first needed."""

import functools
import importlib
from typing import Any


@functools.cache
def late(module: str, name: str) -> Any:
    """The type `name` of `module`; both exist once the whole schema is loaded."""
    return getattr(importlib.import_module(module), name)
