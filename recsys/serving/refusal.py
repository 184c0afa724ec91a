"""A problem that is told the client instead of an answer."""

import json


class Refusal(Exception):  # noqa: N818 - an answer
    """Goes up to whoever writes the answer. It has no word of what the client wrote."""

    def __init__(self, status: int, title: str, detail: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail, self.headers = status, title, detail, headers

    def problem(self, request_id: str) -> bytes:
        """Problem details (RFC 9457)."""
        told = {"type": "about:blank", "title": self.title, "status": self.status, "detail": self.detail}
        return json.dumps({**told, "request_id": request_id}).encode()


def unprocessable(detail: str) -> Refusal:
    return Refusal(422, "Unprocessable", detail)


def fault_of_ours() -> Refusal:
    """The log has what it was."""
    return Refusal(500, "Internal error", "the fault is the server's; its log has the request's id")


def busy(detail: str) -> Refusal:
    return Refusal(503, "Busy", detail, ((b"retry-after", b"1"),))
