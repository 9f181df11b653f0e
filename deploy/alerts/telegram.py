#!/usr/bin/env python3
"""Send one event of the keeper to a Telegram chat: JSON on stdin, nothing but the library needed.

alerts.command: /opt/keeper/deploy/alerts/telegram.py --chat 42 --token-file /etc/keeper/telegram
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from pathlib import Path


def main() -> int:
    """Send it; a failure ends with a traceback and 1, which the keeper's log shows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--chat", required=True, help="the chat's number")
    parser.add_argument("--token-file", type=Path, required=True, help="holds the bot's token")
    parser.add_argument("--api", default="https://api.telegram.org", help="for tests")
    given = parser.parse_args()
    event = json.load(sys.stdin)
    text = f"{event['symbol']} {event['text']}\n{event['at']}, {event['reason']}"
    if event.get("left_out"):
        text += f"\n({event['left_out']} earlier events left out)"
    token = given.token_file.read_text().strip()
    request = urllib.request.Request(  # noqa: S310 - the address is the operator's own
        f"{given.api}/bot{token}/sendMessage",
        data=json.dumps({"chat_id": given.chat, "text": text}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=8):  # noqa: S310 - likewise
        return 0


if __name__ == "__main__":
    raise SystemExit(main())
