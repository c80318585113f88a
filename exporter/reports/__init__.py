"""What Graph's registration reports mean: a source collects its pages, a tally counts them, a report comes out.

Here belongs the meaning of rows and words. Nothing here knows HTTP, tokens, time or what was polled before; the
sources do not know each other.
"""
