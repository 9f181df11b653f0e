#!/usr/bin/env python3
"""Mail one event of the keeper through the machine's own sendmail: JSON on stdin.

alerts.command: /opt/keeper/deploy/alerts/mail.py --to you@example.org
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from email.message import EmailMessage


def main() -> int:
    """Mail it; returns what sendmail returns, which the keeper's log shows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", required=True)
    parser.add_argument("--from", dest="sender", default="keeper@localhost")
    parser.add_argument("--sendmail", default="/usr/sbin/sendmail")
    given = parser.parse_args()
    event = json.load(sys.stdin)
    mail = EmailMessage()
    mail["To"], mail["From"] = given.to, given.sender
    stage = event["alarm"] or event["kind"]
    mail["Subject"] = f"keeper {event['symbol']}: {event['reason']} {stage}"
    mail.set_content(f"{event['text']}\n\n{json.dumps(event, indent=1)}\n")
    sent = subprocess.run(  # noqa: S603 - the operator's own program
        [given.sendmail, "-i", given.to], input=mail.as_bytes(), check=False, timeout=8
    )
    return sent.returncode


if __name__ == "__main__":
    raise SystemExit(main())
