"""Sealed manifests, and real servers of the kinds that manifests are delivered to, each started by the tests."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.delivery.receiver import Receiver
from tests.delivery.sealed import Sealed

SFTP_SERVER = Path("/usr/lib/openssh/sftp-server")


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of sealed manifests, closed: to be copied."""
    made = Sealed.kept_in(tmp_path_factory.mktemp("kept") / "site")
    made.warehouse.close()
    return made.site.path


@pytest.fixture(scope="module")
def parcels(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sealed]:
    """Sealed manifests that no test changes."""
    copied = Sealed.copied(kept, tmp_path_factory.mktemp("parcels") / "site")
    yield copied
    copied.warehouse.close()


@pytest.fixture
def sealed(kept: Path, tmp_path: Path) -> Iterator[Sealed]:
    """Sealed manifests of a test's own."""
    copied = Sealed.copied(kept, tmp_path / "site")
    yield copied
    copied.warehouse.close()


@dataclass(frozen=True)
class SftpServer:
    """OpenSSH's, on this machine: what a client has to know, and where its files are."""

    port: int
    user: str
    host_key: str
    key_file: Path
    folder: Path

    def address(self, folder: str) -> str:
        return f"sftp://{self.user}@127.0.0.1:{self.port}{self.folder}/{folder}"


@pytest.fixture(scope="module")
def sftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    """An sshd with a key of its own. Missing, it is a failure in CI and a reason to skip elsewhere."""
    sshd = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
    if sshd is None or not SFTP_SERVER.exists():
        reason = "sshd is not installed: `apt-get install openssh-server` lets the SFTP tests run"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "client"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copyfile(folder / "client.pub", folder / "authorized")
    (folder / "files").mkdir()
    port = free_port()
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
        f"PidFile {folder}/pid\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
        f"Subsystem sftp {SFTP_SERVER}\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True) if os.getuid() == 0 else None
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sshd, "-D", "-e", "-f", folder / "config"], stderr=log)
    try:
        wait_for(port, process)
        host_key = " ".join((folder / "host.pub").read_text().split()[:2])
        user = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
        yield SftpServer(port, user, host_key, folder / "client", folder / "files")
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 server in a process of its own, with the bucket `exchange`."""
    port = free_port()
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    log = tmp_path_factory.mktemp("s3") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=output, stderr=output, env=environment,
        )  # fmt: skip
    try:
        wait_for(port, process)
        endpoint = f"http://127.0.0.1:{port}"
        import httpx

        assert httpx.put(f"{endpoint}/exchange", trust_env=False).status_code == 200
        yield endpoint
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def https_receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver over HTTPS with a certificate of its own authority."""
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    certificate = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(certificate))
    receiver = Receiver(certificate)
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        thread.join()
        receiver.server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the server answers; half a minute at most."""
    for _ in range(300):
        assert process.poll() is None, "the server ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer")
