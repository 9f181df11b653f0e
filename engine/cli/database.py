"""``keeper db``: which schema the store has, and bringing it to another one."""

from __future__ import annotations

from argparse import Namespace

from engine.cli.common import settings_of
from engine.cli.output import ExitCode, Output, Problem
from engine.store import migrate
from engine.store.connect import Place, naming
from engine.store.schema import HEAD


def db(arguments: Namespace, output: Output) -> int:
    """Upgrade, downgrade or name the store's schema; raises ``StoreUnavailable``."""
    url = settings_of(arguments).store.url
    place = Place(url)
    before = migrate.current(url)
    match arguments.what:
        case "upgrade":
            if place.path is not None:
                with naming(place, "making its folder"):
                    place.path.parent.mkdir(parents=True, exist_ok=True)
            revision = migrate.upgrade(url, arguments.revision or "head")
        case "downgrade" if arguments.revision is None:
            raise Problem(
                "usage",
                "downgrade needs a revision",
                ExitCode.USAGE,
                remedy="name one, such as `keeper db downgrade base`; data of later tables is lost",
            )
        case "downgrade":
            revision = migrate.downgrade(url, arguments.revision)
        case _:
            revision = before
    document: dict[str, object] = {
        "schema": "keeper/db/1",
        "store": place.shown,
        "before": before,
        "revision": revision,
        "head": HEAD,
    }
    output.answer(document, lambda: _text(place.shown, before, revision))
    return int(ExitCode.DONE)


def _text(place: str, before: str | None, revision: str | None) -> str:
    now = "no schema yet" if revision is None else f"schema {revision}"
    change = "" if before == revision else f", was {before or 'empty'}"
    newest = " (the newest)" if revision == HEAD else f", newest is {HEAD}"
    return f"{place}: {now}{newest}{change}"
