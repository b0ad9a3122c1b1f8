"""How large what arrives may be. Exports are hostile until checked: a file that is too large is refused unread."""

from __future__ import annotations

from dataclasses import dataclass

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


@dataclass(frozen=True)
class Limits:
    """The largest file, line and unpacked Excel file that is taken in, in bytes, and the most files of a delivery."""

    file_bytes: int = 100 * 10**9
    line_bytes: int = 2 * 2**20
    unpacked_bytes: int = 4 * 10**9
    files: int = 10_000


NO_MORE_THAN = Limits()


def bytes_of(size: str) -> int:
    """A size such as `2GB` or `1.5 MiB` in bytes."""
    unit = next(name for name in sorted(_UNITS, key=len, reverse=True) if size.endswith(name))
    return int(float(size.removesuffix(unit)) * _UNITS[unit])
