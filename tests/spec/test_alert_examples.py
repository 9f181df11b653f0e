"""The notifiers under deploy/alerts do what docs/alerts.md says, each run as the keeper runs it."""

from __future__ import annotations

import json
import os
import socketserver
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from engine.followers.alerts import run

ROOT = Path(__file__).parents[2]
EVENT = json.loads((ROOT / "tests" / "documents" / "event-1.json").read_text())
LIMIT_S = 20.0


class Receiver:
    """An HTTP server on loopback that keeps what it is sent."""

    def __init__(self, status: int = 200) -> None:
        self.got: list[tuple[str, dict[str, str], Any]] = []
        got = self.got

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def told(name: str, *words: str) -> str | None:
    """Run a notifier with the event on stdin; return what went wrong."""
    command = (sys.executable, str(ROOT / "deploy" / "alerts" / name), *words)
    return run(command, json.dumps(EVENT), LIMIT_S, {"PATH": os.environ["PATH"]})


def test_telegram_gets_words_in_the_chat(receiver: Receiver, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("77:abc\n")

    failure = told("telegram.py", "--chat", "42", "--token-file", str(token), "--api", receiver.url)

    assert failure is None
    ((path, _, body),) = receiver.got
    assert path == "/bot77:abc/sendMessage"
    assert body["chat_id"] == "42"
    assert body["text"].startswith("BTCUSDT alarm: uncovered: 0.004 without a stop")


def test_a_webhook_gets_the_event_as_it_came(receiver: Receiver, tmp_path: Path) -> None:
    bearer = tmp_path / "bearer"
    bearer.write_text("tok\n")

    failure = told("webhook.py", f"{receiver.url}/hook", "--bearer-file", str(bearer))

    assert failure is None
    ((path, headers, body),) = receiver.got
    assert (path, headers["Authorization"]) == ("/hook", "Bearer tok")
    assert body == EVENT


def test_mail_goes_through_sendmail(tmp_path: Path) -> None:
    sendmail = tmp_path / "sendmail"
    sendmail.write_text(f"#!/bin/sh\necho \"$@\" > '{tmp_path}/words'\ncat > '{tmp_path}/mail'\n")
    sendmail.chmod(0o755)

    failure = told("mail.py", "--to", "you@example.org", "--sendmail", str(sendmail))

    assert failure is None
    assert (tmp_path / "words").read_text().split() == ["-i", "you@example.org"]
    mail = (tmp_path / "mail").read_text()
    assert "Subject: keeper BTCUSDT: uncovered raised" in mail
    assert "To: you@example.org" in mail


class MailHandler(socketserver.StreamRequestHandler):
    """As much of a mail server as one message needs."""

    got: ClassVar[list[str]] = []

    def handle(self) -> None:
        self._say("220 here")
        for line in iter(self.rfile.readline, b""):
            word = line.decode().strip().upper()
            self.got.append(line.decode().strip())
            if word == "DATA":
                self._say("354 go on")
                while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    self.got.append(text)
            self._say("221 bye" if word == "QUIT" else "250 fine")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


def test_mail_goes_through_a_server() -> None:
    """Under the hardened unit there is no other way."""
    with socketserver.TCPServer(("127.0.0.1", 0), MailHandler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        address = f"127.0.0.1:{server.server_address[1]}"

        failure = told("mail.py", "--to", "you@example.org", "--smtp", address)

        thread.join()
    assert failure is None
    assert any(line.startswith("rcpt TO:<you@example.org>") for line in MailHandler.got)
    assert "Subject: keeper BTCUSDT: uncovered raised" in MailHandler.got


def test_a_refused_message_is_a_failure() -> None:
    """Else nobody would ever learn that the token has expired."""
    receiver = Receiver(status=403)

    failure = told("webhook.py", receiver.url)

    receiver.close()
    assert failure is not None
    assert "ended with 1" in failure
