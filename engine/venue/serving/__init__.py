"""What stands between the venue and real sockets: clock, REST, streams, admin interface.

Nothing in here knows the rules of the exchange; it carries bytes, and makes loss and delay real.
"""
