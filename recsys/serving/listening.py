"""The addresses that a server listens to: taken before anything else is done, so that a mistake is told at once."""

import errno
import socket
from collections.abc import Sequence

from recsys.errors import ConfigError


def bound(host: str, port: int) -> list[socket.socket]:
    """A socket for every address of the host; ConfigError where there is none that can be had."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"--host {host} is no address of this machine ({_reason(error)}): {REMEDY}") from None
    addresses = sorted({(family, address) for family, *_, address in found}, key=lambda each: each[0].value)
    sockets: list[socket.socket] = []
    for family, address in addresses:
        try:
            # the first one's port is the others' too, where any was asked for
            taken = sockets[0].getsockname()[1] if sockets else port
            sockets.append(_bound(family, (address[0], taken, *address[2:])))
        except OSError as error:
            if sockets:  # this machine has no such family
                continue
            failure = error
    if not sockets:
        raise unavailable(host, port, failure)
    return sockets


REMEDY = "name one of its own, 127.0.0.1 for itself alone or 0.0.0.0 for everybody"


def unavailable(host: str, port: int, error: OSError) -> ConfigError:
    """What to do about an address that cannot be had."""
    match error.errno:
        case errno.EADDRINUSE:
            remedy = "another process listens there: stop it, or choose another --port"
        case errno.EACCES:
            remedy = "choose a --port from 1024 on"
        case _:
            remedy = f"--host: {REMEDY}"
    return ConfigError(f"cannot listen to {host}, port {port} ({_reason(error)}): {remedy}")


def url_of(sockets: Sequence[socket.socket]) -> str:
    host, port = sockets[0].getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    made.setblocking(False)
    return made


def _reason(error: OSError | UnicodeError) -> str:
    return getattr(error, "strerror", None) or str(error)
