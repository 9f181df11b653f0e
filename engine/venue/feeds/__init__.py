"""Where the venue's prices come from: written scenarios, seeded walks, recorded data.

Every feed is a lazy iterator of `PricePoint` in the order of time; nothing is read or drawn
before the venue asks for the next point.
"""
