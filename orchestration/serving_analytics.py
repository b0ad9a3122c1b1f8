"""Serves a site's `analytics.duckdb` to many readers, and goes over to each new copy that a run publishes.

A process a copy: this module, run as a program, opens the copy that is there and answers for it; `serve` watches the
file, starts a new process beside the old one, and lets it take the port over once it has the new copy open. Nothing
else of the site is opened: not the warehouse, and no key but the token.
"""

from __future__ import annotations

import json
import secrets
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from assets.errors import BadInput, BadUsage, CheckFailed, GallringError
from assets.site import Site
from assets.writing import write_whole

TOKEN = "analytics.token"  # noqa: S105  the name of a file
#: How long answers under way may take when a new copy is there.
GRACE_SECONDS = 30.0
_LOOKS_EVERY = 1.0
_LEAST = 20


@dataclass(frozen=True)
class Serving:
    """How a copy is served: where, to whom, and with how much of the machine."""

    port: int
    token: str
    memory_limit: str
    threads: int


def read_token(site: Site, path: Path | None = None) -> tuple[str, Path]:
    """The token that readers show, and the file it stands in; the site's own is made when it is not there.

    Raises:
        BadInput: the file is missing, too short, or readable by others.
    """
    file = path or site.keys / TOKEN
    if path is None and not file.exists():
        write_whole(file, (secrets.token_urlsafe(32) + "\n").encode())
    try:
        token = file.read_text(encoding="ascii").strip()
        mode = file.stat().st_mode
    except (OSError, UnicodeDecodeError):
        raise BadInput(f"{file} cannot be read: put a token of {_LEAST} or more plain characters into it.") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadInput(f"{file} can be read by others: `chmod 600 {file}`, and put another token into it.")
    if len(token) < _LEAST or not token.isprintable() or set(token) & set("'\" "):
        raise BadInput(f"{file} holds no token: put {_LEAST} or more letters and digits on one line into it.")
    return token, file


def serve(site: Site, serving: Serving, tell: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Raises:
        CheckFailed: nothing has been published yet.
        GallringError: the port is taken, or the serving process ended by itself.
    """
    if not site.analytics.exists():
        raise CheckFailed(f"Nothing has been run on {site.path} yet: `gallring run --site {site.argument}` does it.")
    _require_free(serving.port)
    seen = _version(site.analytics)
    server = _Server(site.analytics, serving)
    try:
        tell(server.listen())
        while True:
            time.sleep(_LOOKS_EVERY)
            server.require_alive()
            there = _version(site.analytics)
            if there is not None and there != seen:
                seen, server = there, _follow(site.analytics, serving, server, tell)
    finally:
        server.end()


def _follow(path: Path, serving: Serving, old: _Server, tell: Callable[[str], None]) -> _Server:
    """The process that serves the new copy; the old one if the new copy cannot be opened."""
    new = _Server(path, serving)
    try:
        new.require_open()
    except GallringError as error:
        new.end()
        tell(f"The new copy cannot be served, the old one still is: {error.message}")
        return old
    old.end()
    tell(new.listen())
    return new


def _require_free(port: int) -> None:
    """See that nobody listens on the port: DuckDB's server would share it without a word."""
    for family, here in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with suppress(OSError), socket.socket(family) as trying:
            trying.settimeout(1)
            if trying.connect_ex((here, port)) == 0:
                raise BadUsage(f"Something listens on port {port} already: take another with --port.")


def _version(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path; None in the instant in which there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


class _Server:
    """The process that answers for one copy."""

    def __init__(self, path: Path, serving: Serving) -> None:
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter
            [sys.executable, "-m", "orchestration.serving_analytics", str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).resolve().parents[1], start_new_session=True,
        )  # fmt: skip
        self._opened = False
        self._say(json.dumps(vars(serving)))

    def require_open(self) -> None:
        """See that the copy is open."""
        if not self._opened:
            self._heard()
            self._opened = True

    def listen(self) -> str:
        """Take the port; what to tell people."""
        self.require_open()
        self._say("listen")
        return self._heard()

    def require_alive(self) -> None:
        """See that it still serves."""
        if self._process.poll() is not None:
            raise GallringError("The process that served analytics.duckdb has ended: start it again.", 1)

    def end(self) -> None:
        """Let answers under way be given, then stop."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=GRACE_SECONDS + 5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _pipe(self) -> tuple[IO[str], IO[str]]:
        if self._process.stdin is None or self._process.stdout is None:
            raise GallringError("The process that serves analytics.duckdb cannot be spoken to.", 1)
        return self._process.stdin, self._process.stdout

    def _say(self, line: str) -> None:
        try:
            into, _ = self._pipe()
            into.write(line + "\n")
            into.flush()
        except BrokenPipeError:
            return  # it has ended, and said why: that is heard next

    def _heard(self) -> str:
        _, out = self._pipe()
        verdict, _, text = out.readline().rstrip("\n").partition(" ")
        if verdict != "ok":
            raise GallringError(text or "analytics.duckdb cannot be served: see the message above.", 3)
        return text


@contextmanager
def _complaining() -> Iterator[None]:
    """An error of ours goes to whoever started this process, as a line."""
    try:
        yield
    except GallringError as error:
        print(f"no {error.message}", flush=True)  # noqa: T201  this is how the two processes speak
        raise SystemExit(error.exit_code) from None


def answer_for(path: Path) -> None:
    """Serve the copy at `path` until the standard input ends: its first line says how, the second that it may begin."""
    from assets.publication.serving import Doorkeeper
    from assets.warehouse import ReadServer

    serving = Serving(**json.loads(sys.stdin.readline()))
    with _complaining():
        server = ReadServer(path, memory_limit=serving.memory_limit, threads=serving.threads)
        print(f"ok {path.name} is open.", flush=True)  # noqa: T201
        if not sys.stdin.readline():
            return
        address = server.start(serving.port, serving.token, Doorkeeper(server.table_macros()).may_run)
    print(f"ok {path.name} is served on {address}.", flush=True)  # noqa: T201
    sys.stdin.read()
    deadline = time.monotonic() + GRACE_SECONDS
    while server.busy() and time.monotonic() < deadline:
        time.sleep(0.05)
    server.stop()


if __name__ == "__main__":
    answer_for(Path(sys.argv[1]))
