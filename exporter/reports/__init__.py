"""What Graph's registration reports mean: a source collects its pages, a tally counts them, a report comes out.

Here belongs the meaning of rows and words. Nothing here knows HTTP, tokens, time or what was polled before; the
sources do not know each other.

One rule holds in all of them, for reports of any size. What no row and no entry says has no series (of a split it has
only `unknown`), the rest is shown, and the rows or entries that do not say it count as incomplete. So 0 always means
that somebody counted and found nobody. A report without users is `incomplete`, for no tenant is without; one that says
nothing but how many users there are is `malformed`.
"""
