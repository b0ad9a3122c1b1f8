"""Which addresses notices and manifests may go to: those that nobody else can read on the way. Knows no network."""

from __future__ import annotations

from urllib.parse import urlsplit

#: The port of a mail server, by how the way to it is secured.
PORTS = {"starttls": 587, "tls": 465, "none": 25}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine, so that nothing travels in the clear."""
    return (host or "").lower() in _LOOPBACK


def is_private_address(url: str) -> bool:
    """Whether what is sent to `url` can be read by its receiver alone: HTTPS, or HTTP on this machine."""
    try:
        parts = urlsplit(url)
        port_is_one = parts.port is None or parts.port > 0
    except ValueError:
        return False
    if not parts.hostname or parts.username or parts.fragment or not port_is_one:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
