"""`/healthz`: the process is alive. `/readyz`: it can serve."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from gateway.endpoints.draining import Draining

log = structlog.get_logger(__name__)

CHECK_TIMEOUT_S = 2.0

Check = Callable[[], Awaitable[None]]


def health_routes(checks: Mapping[str, Check], *, draining: Draining) -> list[BaseRoute]:
    """Routes for probes; they need no login.

    checks: name → a call that raises when the part is not usable. `/readyz` runs all of them at
    once, each for at most two seconds, and answers 503 with the names of the failed ones, or
    while `draining` is set. What a check raised is logged and not shown."""

    async def alive(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def ready(_request: Request) -> JSONResponse:
        if draining.is_set():
            return JSONResponse({"status": "draining", "failed": []}, status_code=503)
        passed = await asyncio.gather(*(_passes(name, check) for name, check in checks.items()))
        failed = [name for name, passes in zip(checks, passed, strict=True) if not passes]
        if failed:
            return JSONResponse({"status": "unavailable", "failed": failed}, status_code=503)
        return JSONResponse({"status": "ok", "failed": []})

    return [Route("/healthz", alive), Route("/readyz", ready)]


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
    except Exception as error:
        log.warning("readiness_check_failed", check=name, exc_info=error)
        return False
    return True
