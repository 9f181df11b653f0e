"""`python -m engine.venue`: the same as `keeper venue`."""

import sys

from engine.venue.command import main

sys.exit(main(sys.argv[1:]))
