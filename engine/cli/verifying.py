"""``keeper verify``: covered or not, straight from the exchange, without store or keeper."""

from __future__ import annotations

from argparse import Namespace
from contextlib import closing
from threading import Event

from engine.cli.common import credentials_of, settings_of
from engine.cli.output import ExitCode, Output, Problem
from engine.cli.render import verify_text
from engine.connection import connect
from engine.domain.errors import Indeterminate, Unavailable
from engine.domain.position import PositionReport
from engine.read.documents import Document, amount, moment_of, report_document
from engine.verify import CoverVerdict, Verified
from engine.verify import verify as judge_cover

EXIT = {
    CoverVerdict.FLAT: ExitCode.DONE,
    CoverVerdict.COVERED: ExitCode.DONE,
    CoverVerdict.PARTLY_COVERED: ExitCode.NO,
    CoverVerdict.UNCOVERED: ExitCode.NO,
    CoverVerdict.UNKNOWN: ExitCode.EXCHANGE,
}


def verify(arguments: Namespace, output: Output) -> int:
    """Answer whether the position is covered; raises ``Rejected`` when the key is refused."""
    settings = settings_of(arguments)
    with closing(connect(settings, credentials_of(settings))) as exchange:
        try:
            exchange.anchor_clock()
        except (Unavailable, Indeterminate) as error:
            raise Problem(
                "exchange_unreachable",
                f"cannot tell whether the position is covered: {error}",
                ExitCode.EXCHANGE,
                remedy="check the network and exchange.rest_url; the stops rest on the exchange",
            ) from error
        verified = judge_cover(exchange, pause=Event().wait)
    document = verify_document(verified, settings.symbol)
    output.answer(document, lambda: verify_text(document))
    if verified.problem is not None:
        output.progress(f"keeper: could not tell: {verified.problem}; try again")
    return int(EXIT[verified.verdict])


def verify_document(verified: Verified, symbol: str) -> Document:
    """Return the ``keeper/verify/1`` document."""
    return {
        "schema": "keeper/verify/1",
        "at": moment_of(verified.at_ms),
        "symbol": symbol,
        "verdict": verified.verdict.value,
        "position": _held(verified.position),
        "covered_quantity": amount(verified.covered_quantity),
        "uncovered_quantity": amount(verified.uncovered_quantity),
        "worst_stop": amount(verified.worst_stop),
        "counted": [report_document(order) for order in verified.counted],
        "not_counted": [
            {"client_id": n.order.client_id, "why": n.why} for n in verified.not_counted
        ],
        "sides": [
            {
                "verdict": one.verdict.value,
                "position": _held(one.position),
                "covered_quantity": amount(one.covered_quantity),
                "uncovered_quantity": amount(one.uncovered_quantity),
                "worst_stop": amount(one.worst_stop),
            }
            for one in verified.sides
        ],
    }


def _held(position: PositionReport | None) -> Document | None:
    if position is None or position.side is None or position.is_flat:
        return None
    return {"side": position.side.value, "quantity": amount(position.quantity)}
