"""Answers that nobody reads: the connection is cut, or they and what comes after them would be held for ever."""

import asyncio

from recsys.serving.asgi import Send


def cut_if_unread(send: Send, seconds: float) -> None:
    """Once an answer has gone: where none of what is left of it has been taken for so long."""
    # uvicorn's own; ASGI has no name for it, and under another server nothing is cut
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        _look_again(transport, transport.get_write_buffer_size(), seconds)


def _look_again(transport: asyncio.WriteTransport, left: int, seconds: float) -> None:
    if left:
        asyncio.get_running_loop().call_later(seconds, _cut, transport, left, seconds)


def _cut(transport: asyncio.WriteTransport, before: int, seconds: float) -> None:
    left = transport.get_write_buffer_size()
    if left >= before:
        transport.abort()
    else:
        _look_again(transport, left, seconds)
