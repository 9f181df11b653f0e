"""Keep one futures position on one symbol in step with a decision, and covered by a stop, always.

Read `engine.tick` first. The version stands here and nowhere else.
"""

__version__ = "0.2.0"
