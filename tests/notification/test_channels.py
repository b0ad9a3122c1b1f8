"""A notice reaches a real web server signed, and a real mail server over STARTTLS; a failure says whether it passes."""

from __future__ import annotations

import json
import smtplib
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any, get_args

import pytest

from assets.addresses import is_private_address
from assets.delivery.sending import Retry
from assets.delivery.transports.contract import RetryableTransportError, TerminalTransportError, TransportError
from assets.manifests.signatures import Signer
from assets.notification.channels import PartlyTold
from assets.notification.mail import Mail, MailServer
from assets.notification.notices import Kind, as_json, as_text
from assets.notification.webhook import Webhook
from tests.notification.conftest import NOTICE, Mailbox, Receiver

AT_ONCE = Retry(attempts=3, sleep=lambda seconds: None)


def webhook(receiver: Receiver, signer: Signer, **more: Any) -> Webhook:
    given = {"url": receiver.url, "signer": signer, "clock": lambda: datetime.now(UTC), "retry": AT_ONCE, **more}
    return Webhook(**given)


def mail(box: Mailbox, **more: Any) -> Mail:
    server = {"host": "localhost", "port": box.port, "certificate": box.certificate, "user": "gallring",
              "password": "correct horse", **more}  # fmt: skip
    return Mail(MailServer(**server), "gallring@company.example", ("dpo@company.example", "ops@company.example"),
                AT_ONCE)  # fmt: skip


def test_a_webhook_gets_the_notice_signed_with_the_sites_key(receiver: Receiver, signer: Signer) -> None:
    receiver.public_key = signer.public
    webhook(receiver, signer, token="open sesame").tell(NOTICE)
    assert (receiver.bodies, receiver.refused) == ([as_json(NOTICE)], [])
    said = json.loads(receiver.bodies[0])
    assert (said["schema"], said["job"], said["as_of"], said["status"]) == (
        "gallring-notice/1", "run_cycle", "2026-11-25", "failure",
    )  # fmt: skip
    assert [(each["kind"], each["count"]) for each in said["concerns"]] == [
        ("run_failed", None), ("check_failed", 3), ("request_overdue", 1), ("source_blocked", 2),
    ]  # fmt: skip
    headers = receiver.headers[0]
    assert headers["idempotency-key"] == f'"run-{NOTICE.run_id}"'
    assert headers["authorization"] == "Bearer open sesame"


def test_the_documented_notice_is_one_of_ours() -> None:
    page = (Path(__file__).parents[2] / "docs" / "deploying.md").read_text(encoding="utf-8")
    documented = json.loads(page.split("```json")[1].split("```")[0])
    ours = json.loads(as_json(NOTICE))
    assert documented.keys() == ours.keys()
    assert {frozenset(each) for each in documented["concerns"]} == {frozenset(each) for each in ours["concerns"]}
    for kind in get_args(Kind):
        assert f"`{kind}`" in page


def test_a_signature_of_another_key_is_seen_by_the_receiver(receiver: Receiver, signer: Signer, tmp_path: Any) -> None:
    from assets.manifests.signatures import make_key

    make_key(tmp_path / "other.pem", tmp_path / "other.pub.pem")
    receiver.public_key = Signer.load(tmp_path / "other.pem").public
    with pytest.raises(TerminalTransportError, match="HTTP 401"):
        webhook(receiver, signer).tell(NOTICE)
    assert len(receiver.refused) == 1


def test_a_busy_webhook_is_tried_again_and_a_refusal_is_not(receiver: Receiver, signer: Signer) -> None:
    receiver.statuses = [503, 429]
    webhook(receiver, signer).tell(NOTICE)
    assert len(receiver.bodies) == 3
    receiver.statuses = [500] * 3
    with pytest.raises(RetryableTransportError, match="HTTP 500"):
        webhook(receiver, signer).tell(NOTICE)
    assert len(receiver.bodies) == 6
    receiver.statuses = [410, 204]
    with pytest.raises(TerminalTransportError, match="HTTP 410"):
        webhook(receiver, signer).tell(NOTICE)
    assert len(receiver.bodies) == 7


def test_a_redirect_is_not_followed(receiver: Receiver, signer: Signer) -> None:
    receiver.statuses = [302]
    with pytest.raises(TerminalTransportError, match="HTTP 302"):
        webhook(receiver, signer).tell(NOTICE)
    assert len(receiver.bodies) == 1


def test_nobody_at_home_passes(signer: Signer, receiver: Receiver) -> None:
    nowhere = webhook(receiver, signer, url="http://127.0.0.1:9/notices")
    with pytest.raises(RetryableTransportError, match="does not answer"):
        nowhere.tell(NOTICE)


def test_nothing_is_sent_in_the_clear_to_another_machine(receiver: Receiver, signer: Signer) -> None:
    with pytest.raises(TerminalTransportError, match="https://HOST/PATH"):
        webhook(receiver, signer, url="http://pager.example/notices").tell(NOTICE)
    far = replace(mail(Mailbox()), server=MailServer("mail.company.example", 25, "none"))
    with pytest.raises(TerminalTransportError, match="needs starttls or tls"):
        far.tell(NOTICE)


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("https://pager.example/a?b=c", True),
        ("http://localhost:8080/x", True),
        ("http://[::1]:8080/x", True),
        ("http://pager.example/", False),
        ("http://127.0.0.1.pager.example/", False),
        ("https://user:word@pager.example/", False),
        ("ftp://localhost/", False),
        ("https:///x", False),
        ("https://pager.example:port/", False),
        ("pager.example", False),
    ],
)
def test_which_addresses_nobody_else_can_read(url: str, private: bool) -> None:
    assert is_private_address(url) is private


def test_a_mail_goes_over_starttls_after_a_login(mailbox: Mailbox) -> None:
    mail(mailbox).tell(NOTICE)
    ((envelope, encrypted, authenticated),) = mailbox.messages
    assert (encrypted, authenticated) == (True, True)
    assert envelope.rcpt_tos == ["dpo@company.example", "ops@company.example"]
    message = message_from_bytes(envelope.content, policy=policy.default)
    assert message["Subject"] == (
        "Gallring run_cycle as of 2026-11-25: run failed, 1 checks say no, requests overdue, sources block"
    )
    assert message["Message-ID"] == f"<run-{NOTICE.run_id}@gallring.invalid>"
    assert message["Auto-Submitted"] == "auto-generated"
    text = message.get_content().replace("\r\n", "\n")
    assert text == as_text(NOTICE)
    assert "claims_end_after_they_start says no: 3 unexpected (critical)" in text
    assert NOTICE.url in text


def test_a_wrong_password_and_an_unknown_certificate_are_for_a_person(mailbox: Mailbox) -> None:
    with pytest.raises(TerminalTransportError, match="refuses the login"):
        mail(mailbox, password="wrong").tell(NOTICE)
    with pytest.raises(TerminalTransportError, match="certificate is not trusted"):
        mail(mailbox, certificate=None).tell(NOTICE)
    assert mailbox.messages == []


def test_a_server_that_defers_is_tried_again_and_one_that_refuses_is_not(mailbox: Mailbox) -> None:
    mailbox.answers = ["451 later", "451 later"]
    mail(mailbox).tell(NOTICE)
    assert len(mailbox.messages) == 1
    mailbox.answers = ["554 no, dpo@company.example", "250 OK"]
    with pytest.raises(TerminalTransportError, match="SMTP 554") as caught:
        mail(mailbox).tell(NOTICE)
    assert "dpo@" not in str(caught.value)
    assert mailbox.answers == ["250 OK"]


@pytest.mark.parametrize("answer", ["550 no such user: ops@company.example", "450 ops@company.example: later"])
def test_where_one_recipient_is_refused_the_others_are_told_once(mailbox: Mailbox, answer: str) -> None:
    mailbox.unknown = {"ops@company.example": answer}
    with pytest.raises(PartlyTold, match="refuses 1 of the 2 recipients") as caught:
        mail(mailbox).tell(NOTICE)
    assert "ops@" not in str(caught.value)
    assert [envelope.rcpt_tos for envelope, *_ in mailbox.messages] == [["dpo@company.example"]]
    mailbox.unknown["dpo@company.example"] = "550 nor this one"
    with pytest.raises(TransportError, match="SMTP 550") as refused:
        mail(mailbox).tell(NOTICE)
    assert not isinstance(refused.value, PartlyTold)
    assert len(mailbox.messages) == 1


def test_a_server_without_starttls_gets_nothing(open_mailbox: Mailbox) -> None:
    with pytest.raises(TerminalTransportError, match="no STARTTLS"):
        mail(open_mailbox, certificate=None).tell(NOTICE)
    assert open_mailbox.messages == []
    mail(open_mailbox, certificate=None, security="none", user="").tell(NOTICE)
    assert len(open_mailbox.messages) == 1


def test_a_mail_server_that_is_down_passes() -> None:
    with pytest.raises(RetryableTransportError, match="does not answer"):
        mail(Mailbox(port=9), certificate=None).tell(NOTICE)


def test_a_line_that_breaks_passes(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed")

    monkeypatch.setattr(smtplib.SMTP, "send_message", broken)
    with pytest.raises(RetryableTransportError, match="broke off"):
        mail(mailbox).tell(NOTICE)
