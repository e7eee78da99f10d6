"""One WebSocket as a channel of graphql-transport-ws messages, within its bounds."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import Receive, Send

from gateway.endpoints.answers import Json, encode
from gateway.endpoints.limits import Limits
from gateway.endpoints.messages import ClientMessage, read_message
from gateway.errors import BadUserInput

_CLOSE_TIMEOUT_S = 1.0
# RFC 6455, section 5.5: a control frame carries 125 bytes, two of them the code.
_REASON_BYTES = 123


class CloseSocket(Exception):
    """The socket ends; `code` is None when the other side is gone already.

    The stock graphql-ws client comes back after 1012, 1013, 4403, 4408 and 4499 and gives up after
    1008, 1009, 1011, 4400, 4401, 4406, 4409 and 4429."""

    def __init__(self, code: int | None, reason: str = "") -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


class Channel:
    """Reads and writes messages; whatever ends the socket is raised as CloseSocket."""

    def __init__(self, receive: Receive, send: Send, *, limits: Limits) -> None:
        self._receive = receive
        self._send = send
        self._limits = limits
        self._allowance = float(limits.message_burst)
        # Of the event loop's clock: when the last message came in.
        self.heard_at_s = _now_s()

    async def read(self) -> ClientMessage:
        """The next message. Raises CloseSocket: 4400 malformed, 1009 too long, 1008 too many."""
        frame = await self._receive()
        if frame["type"] == "websocket.disconnect":
            raise CloseSocket(None)
        self._spend_allowance()
        text = frame.get("text")
        if text is None:
            raise CloseSocket(4400, "Messages are text, not binary")
        if len(text.encode()) > self._limits.frame_bytes:
            raise CloseSocket(1009, f"Messages have at most {self._limits.frame_bytes} bytes")
        try:
            return read_message(text, json_depth=self._limits.json_depth)
        except BadUserInput as error:
            raise CloseSocket(4400, error.message) from None

    async def write(self, message: Json) -> None:
        """Send one message and wait until it is on its way, so a slow reader slows its sources
        down. Raises CloseSocket when that takes longer than `send_timeout_s`, and Rejected for a
        value that JSON cannot carry."""
        text = encode(message).decode()
        try:
            async with asyncio.timeout(self._limits.send_timeout_s):
                await self._send({"type": "websocket.send", "text": text})
        except TimeoutError:
            raise CloseSocket(1013, "You read too slowly") from None
        except OSError:
            raise CloseSocket(None) from None

    async def close(self, closing: CloseSocket) -> None:
        """Say goodbye, unless the other side is gone or takes nothing any more."""
        if closing.code is None:
            return
        reason = closing.reason.encode()[:_REASON_BYTES].decode(errors="ignore")
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._send(
                    {"type": "websocket.close", "code": closing.code, "reason": reason}
                )

    def _spend_allowance(self) -> None:
        heard_at_s = _now_s()
        earned = (heard_at_s - self.heard_at_s) * self._limits.messages_per_second
        self._allowance = min(self._limits.message_burst, self._allowance + earned) - 1
        self.heard_at_s = heard_at_s
        if self._allowance < 0:
            raise CloseSocket(1008, "Too many messages: the limit is messages_per_second")


def _now_s() -> float:
    return asyncio.get_running_loop().time()
