#!/usr/bin/env python3
"""Mail one event of the keeper: JSON on stdin, through a mail server, or the machine's sendmail.

alerts.command: /opt/keeper/deploy/alerts/mail.py --to you@example.org --smtp localhost:25

Under the hardened unit a sendmail that changes its group (postfix) may not: use --smtp there.
"""

from __future__ import annotations

import argparse
import json
import smtplib
import subprocess
import sys
from email.message import EmailMessage


def main() -> int:
    """Mail it; a failure ends with a code that the keeper's log shows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", required=True)
    parser.add_argument("--from", dest="sender", default="keeper@localhost")
    parser.add_argument("--smtp", metavar="HOST:PORT", help="a server that takes mail from here")
    parser.add_argument("--sendmail", default="/usr/sbin/sendmail")
    given = parser.parse_args()
    event = json.load(sys.stdin)
    mail = EmailMessage()
    mail["To"], mail["From"] = given.to, given.sender
    stage = event["alarm"] or event["kind"]
    mail["Subject"] = f"keeper {event['symbol']}: {event['reason']} {stage}"
    mail.set_content(f"{event['text']}\n\n{json.dumps(event, indent=1)}\n")
    if given.smtp is not None:
        host, _, port = given.smtp.partition(":")
        with smtplib.SMTP(host, int(port or 25), timeout=8) as server:
            server.send_message(mail)
        return 0
    sent = subprocess.run(  # noqa: S603 - the operator's own program
        [given.sendmail, "-i", given.to], input=mail.as_bytes(), check=False, timeout=8
    )
    return sent.returncode


if __name__ == "__main__":
    raise SystemExit(main())
