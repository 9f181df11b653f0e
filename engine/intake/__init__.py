"""The door of the decisions: somebody else's files in, one `Inbox` value out.

`Intake` reads; `compose` and `write` make a valid fresh decision by hand; ``decisions/README.md``
describes the format.
"""

from engine.intake.compose import Wishes, compose, describe, write
from engine.intake.reader import Intake
from engine.intake.refusals import MEANINGS, Code

__all__ = ["MEANINGS", "Code", "Intake", "Wishes", "compose", "describe", "write"]
