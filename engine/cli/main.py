"""``keeper``: read the command line, import the one module the verb needs, turn failure into words.

Nothing but argparse is imported before the verb is known, so ``keeper --help`` costs nothing.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from engine import __version__
from engine.cli.output import REPORT_IT, ExitCode, Output, Problem, problem_of

Parser = argparse.ArgumentParser
Handler = Callable[[argparse.Namespace, Output], int]


class _Parser(Parser):
    """Argparse that reports wrong usage the way every other failure is reported."""

    def error(self, message: str) -> NoReturn:
        """Raise wrong usage; the name of the verb is in ``prog``."""
        raise Problem("usage", message, ExitCode.USAGE, remedy=f"see `{self.prog} --help`")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; ``argv`` is without the program's name."""
    words = list(sys.argv[1:] if argv is None else argv)
    output = Output(as_json="--json" in words)
    try:
        return _run(words, output)
    except KeyboardInterrupt:
        output.progress("keeper: interrupted")
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; the flush at exit must not complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.DONE)
    except Exception as error:  # noqa: BLE001 - the last frame: nothing may leave as a bare trace
        problem = problem_of(error)
        if problem is not None:
            return output.fail(problem)
        output.trace(error)
        text = f"{type(error).__name__}: {error}"
        return output.fail(Problem("internal", text, ExitCode.INTERNAL, remedy=REPORT_IT))


def _run(words: list[str], output: Output) -> int:
    if words[:1] == ["venue"]:
        # The venue speaks for itself: its options, its documents, its exit codes.
        return int(import_module("engine.venue.command").main(words[1:]))
    parser = build_parser()
    if not words:
        parser.print_help()
        return int(ExitCode.USAGE)
    arguments = parser.parse_args(words)
    module, _, function = arguments.handler.partition(":")
    handler: Handler = getattr(_imported(f"engine.cli.{module}"), function)
    return handler(arguments, output)


def _imported(name: str) -> ModuleType:
    """Return a module imported without collecting garbage meanwhile: there is none yet.

    Modules make many objects that stay; walking them over and over is a tenth of a start.
    """
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(
        prog="keeper",
        description="Keep one futures position in step with a decision, and covered by a stop.",
        epilog="Exit codes: 0 done, 1 answered no, 2 usage, 3 configuration or decision, "
        "4 credentials, 5 exchange, 6 store, 7 another keeper holds the lease, 8 account, "
        "9 refused in this state.",
    )
    parser.add_argument("--version", action="version", version=f"position-keeper {__version__}")
    _common(parser, config=Path("config.yaml"), as_json=False)
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _running(verbs)
    _reading(verbs)
    _asking(verbs)
    _operating(verbs)
    _building(verbs)
    return parser


Verbs = argparse._SubParsersAction  # noqa: SLF001 - argparse names no public type for it


def _common(parser: argparse.ArgumentParser, *, config: object, as_json: object) -> None:
    parser.add_argument(
        "--config", type=Path, default=config, metavar="FILE", help="configuration (./config.yaml)"
    )
    parser.add_argument(
        "--json", action="store_true", default=as_json, help="answer with one JSON document"
    )


def _verb(verbs: Verbs[_Parser], name: str, handler: str, about: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
    # Both may stand before or after the verb; SUPPRESS keeps what stood before.
    _common(parser, config=argparse.SUPPRESS, as_json=argparse.SUPPRESS)
    parser.set_defaults(handler=handler)
    return parser


def _running(verbs: Verbs[_Parser]) -> None:
    run = _verb(verbs, "run", "running:run", "keep the position until SIGTERM or Ctrl-C")
    run.add_argument("--ticks", type=_count, metavar="N", help="end after N ticks")
    run.add_argument("--standby", action="store_true", help="wait for the lease, then take over")
    _verb(verbs, "once", "running:once", "one tick, then leave; stops stay where they are")
    _verb(
        verbs,
        "plan",
        "planning:plan",
        "what the next tick would do, every gate, nothing done",
    )
    decide = _verb(verbs, "decide", "deciding:decide", "write a fresh decision into the inbox")
    decide.add_argument("action", choices=("long", "short", "flat"))
    decide.add_argument(
        "--entry-zone",
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="prices (around the current one)",
    )
    for option, what in (
        ("--sl", "stop loss"),
        ("--tp1", "first target"),
        ("--tp2", "second target"),
        ("--size", "notional in USDT"),
        ("--confidence", "0..1"),
        ("--reason", "free text"),
    ):
        decide.add_argument(option, metavar=option.strip("-").upper(), help=what)
    decide.add_argument("--leverage", type=_count, metavar="N", help="set on the exchange (3)")
    decide.add_argument("--file", type=Path, help="write here instead of into the inbox")


def _reading(verbs: Verbs[_Parser]) -> None:
    status = _verb(
        verbs, "status", "reading:status", "what is held, what protects it, what is next"
    )
    status.add_argument("--watch", action="store_true", help="go on until Ctrl-C")
    history = _verb(verbs, "history", "reading:history", "closed positions: fills, fees, result")
    history.add_argument("--limit", type=_count, metavar="N", help="only the last N")
    explain = _verb(
        verbs, "explain", "reading:explain", "how an order, a position or a moment came about"
    )
    explain.add_argument(
        "subject", metavar="ID|TIME", help="order id, position id, or RFC 3339 time"
    )
    _verb(verbs, "replay", "reading:replay", "plan every recorded tick again and compare")
    report = _verb(verbs, "report", "reading:report", "totals over the closed positions")
    report.add_argument("--html", type=Path, metavar="FILE", help="also write the chart page")


def _asking(verbs: Verbs[_Parser]) -> None:
    check = _verb(verbs, "check", "checking:check", "configuration, key, account, clock and store")
    check.add_argument(
        "--probe", action="store_true", help="also try whether a stop is accepted while flat"
    )
    _verb(verbs, "verify", "verifying:verify", "covered or not, straight from the exchange")


def _operating(verbs: Verbs[_Parser]) -> None:
    for name, about in (
        ("halt", "no more entries until resume; protection goes on"),
        ("resume", "lift every halt; refused while the reason of one stands"),
        ("flatten", "close the position and leave clean books"),
        ("adopt", "keep a position that is not ours as if it were"),
    ):
        parser = _verb(verbs, name, "commanding:order", about)
        parser.set_defaults(command=name)
        parser.add_argument(
            *("--reason", "--why"),
            dest="why",
            default="by hand",
            metavar="TEXT",
            help="kept with the command, beside who asked and when",
        )
        parser.add_argument(
            "--wait", type=_seconds, metavar="S", help="for the keeper's answer (10; flatten 60)"
        )
        if name == "resume":
            parser.add_argument(
                "--force", action="store_true", help="lift the halts whatever stands behind them"
            )


def _building(verbs: Verbs[_Parser]) -> None:
    about = "a life in a minute: exchange, kill, report"
    demo = _verb(verbs, "demo", "demo.play:demo", about)
    demo.add_argument("--folder", type=Path, help="where to play (var/demo)")
    demo.add_argument("--pace", type=_factor, default=1.0, help="how much faster the market moves")
    demo.add_argument("--store", metavar="URL", help="keep its record there (a file in the folder)")
    simulate = _verb(verbs, "simulate", "simulating:simulate", "the campaign, or one written life")
    simulate.add_argument("--seeds", metavar="A..B", help="first and last seed")
    simulate.add_argument(
        "--profile", default="calm", help="weather: calm, faulty or hostile (calm)"
    )
    simulate.add_argument("--jobs", type=_count, default=1, metavar="N", help="processes")
    simulate.add_argument("--scenario", type=Path, metavar="FILE", help="play this file instead")
    simulate.add_argument(
        "--over-http", action="store_true", help="the same life, its venue in a process of its own"
    )
    db = _verb(verbs, "db", "database:db", "migrations of the store")
    db.add_argument("what", choices=("upgrade", "downgrade", "current"))
    db.add_argument("revision", nargs="?", help="where to (head; for downgrade it must be named)")
    # Listed for --help only; _run hands everything behind it on untouched.
    verbs.add_parser("venue", help="serve the simulated exchange (keeper venue --help)")


def _seconds(text: str) -> float:
    duration_s = float(text)
    if not 0 <= duration_s <= 3600:
        raise argparse.ArgumentTypeError("must be between 0 and 3600")
    return duration_s


def _factor(text: str) -> float:
    factor = float(text)
    if not 0.1 <= factor <= 100:
        raise argparse.ArgumentTypeError("must be between 0.1 and 100")
    return factor


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    raise SystemExit(main())
