"""Names, identifiers and times of simulated people, made up from numbers."""

from __future__ import annotations

from datetime import UTC, datetime

FIRST_NAMES = """
    Adele Alex Amara Aram Berta Bianca Carlos Chidi Dagny Debra Diego Elif Emre Farah Femi Grady Hana Henrietta Ines
    Irvin Isaiah Jun Joni Kaja Kofi Lee Lidia Lynne Malik Megan Mei Miriam Naomi Nestor Noor Omar Patti Pradeep Quentin
    Rania Ravi Sana Sofia Tala Tomasz Ursula Valerio Wanda Xenia Yara Zoltan
"""
LAST_NAMES = """
    Abara Bakker Castillo Dahl Eriksen Fischer Greco Haddad Ivanova Jansen Kowalski Lindgren Moreau Nakamura Okafor
    Petrov Quispe Rossi Sato Tanaka Ueda Vance Weber Ximenes Yilmaz Zhou Adeyemi Brandt Cohen Duarte Engel Farkas Gupta
"""
FIRST, LAST = FIRST_NAMES.split(), LAST_NAMES.split()

# The report is computed in batches: a few moments, minutes apart, stand in its rows.
BATCH_OFFSETS = (0.0, 61.4815162, 137.2342999, 214.8675309, 301.1618033)
BATCHES = len(BATCH_OFFSETS)
ODD, BITS_48 = 0x9E3779B97F4B, 2**48 - 1
INVERSE = pow(ODD, -1, 2**48)
TICKS = 10_000_000  # .NET's, hence the seven digits


def user_name(desk: int, tenure: int) -> tuple[str, str]:
    """First and last name of the person who sits at this desk for the time being."""
    mixed = desk * 7 + tenure * 13
    return FIRST[mixed % len(FIRST)], LAST[(mixed // len(FIRST) + desk) % len(LAST)]


def identifier(seed: int, desk: int, person: int) -> str:
    """Return the object id of the desk's n-th person: its last 48 bits mix the two reversibly, so no two are alike."""
    unique = ((desk << 20 | person & 0xFFFFF) + 1) * ODD & BITS_48
    unique = (unique ^ unique >> 24) * ODD & BITS_48
    rest = f"{(unique + seed) * ODD & BITS_48:012x}"
    return f"{rest[:8]}-{rest[8:]}-4{rest[3:6]}-8{rest[5:8]}-{unique:012x}"


def desk_of(identifier: str) -> int:
    """Return the desk of the person with this object id; of any other text, a desk where somebody else sits."""
    unique = int(identifier[-12:], 16) * INVERSE & BITS_48
    return ((unique ^ unique >> 24) * INVERSE - 1 & BITS_48) >> 20


def report_times(newest: float) -> tuple[str, ...]:
    """Return the times in the rows of a report whose newest row was computed at `newest` (seconds since the epoch)."""
    return tuple(graph_time(newest - offset) for offset in BATCH_OFFSETS)


def graph_time(seconds: float) -> str:
    """Return a time as Graph writes it in the reports: UTC with seven fractional digits."""
    ticks = round(seconds * TICKS)
    return f"{datetime.fromtimestamp(ticks // TICKS, UTC):%Y-%m-%dT%H:%M:%S}.{ticks % TICKS:07d}Z"
