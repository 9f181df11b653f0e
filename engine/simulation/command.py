"""``keeper simulate`` behind the command line: words in, document and exit code out."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass

from engine.domain.errors import KeeperError
from engine.read.documents import Document
from engine.simulation.campaign import run
from engine.simulation.draw import PROFILES
from engine.simulation.reach import VenueGone
from engine.simulation.scenario import play_over_http, play_scenario
from engine.venue.scenario import ScenarioError

USAGE, CONFIG, UNREACHABLE = 2, 3, 5
_SEEDS = re.compile(r"(\d+)(?:\.\.(\d+))?")


@dataclass(eq=False)
class WrongUse(KeeperError):
    """A command line that cannot be carried out, in the words of the error document."""

    code: str
    message: str
    exit_code: int
    field: str | None = None
    value: str | None = None
    remedy: str | None = None


def simulate(arguments: Namespace, progress: Callable[[str], None]) -> tuple[Document, int]:
    """Return the document of a campaign (``--seeds``) or of one life (``--scenario``).

    The exit code is 0, or 1 for any violation or difference. Raises ``WrongUse``.
    """
    if (arguments.seeds is None) is (arguments.scenario is None):
        raise WrongUse(
            "usage",
            "give either --seeds A..B or --scenario FILE",
            USAGE,
            remedy="such as `keeper simulate --seeds 1..100`",
        )
    if arguments.over_http and arguments.scenario is None:
        raise WrongUse(
            "usage",
            "goes with --scenario",
            USAGE,
            "--over-http",
            remedy="a campaign is played in process; leave --over-http out",
        )
    if arguments.scenario is not None:
        play = play_over_http if arguments.over_http else play_scenario
        try:
            document = play(arguments.scenario)
        except ScenarioError as error:
            raise WrongUse(
                "scenario_invalid",
                str(error).removesuffix(f"; {error.remedy}"),
                CONFIG,
                error.field or None,
                error.value or None,
                error.remedy or None,
            ) from error
        except VenueGone as error:
            raise WrongUse(
                "venue_gone", str(error), UNREACHABLE, remedy="play it again; see keeper venue"
            ) from error
    else:
        profile = known_profile(arguments.profile)
        document = run(parse_seeds(arguments.seeds), profile, arguments.jobs, progress)
    return document, 0 if document["ok"] else 1


def parse_seeds(text: str) -> range:
    """Return the seeds of ``A..B`` (both included) or ``A``; raises ``WrongUse``."""
    found = _SEEDS.fullmatch(text.strip())
    first = int(found[1]) if found else 0
    last = int(found[2] or found[1]) if found else -1
    if last < first:
        raise WrongUse(
            "usage", "is no range of seeds", USAGE, "--seeds", text, "write A..B, such as 1..100"
        )
    return range(first, last + 1)


def known_profile(name: str) -> str:
    """Return the profile's name if it exists; raises ``WrongUse`` naming those that do."""
    if name not in PROFILES:
        known = ", ".join(PROFILES)
        raise WrongUse("usage", "is no profile", USAGE, "--profile", name, f"profiles are {known}")
    return name
