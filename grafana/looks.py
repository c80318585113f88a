"""How the numbers look that stand in more than one place: units, the colours from which value on, words for values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from grafana.model import BLUE, GREEN, GREY, ORANGE, RED, YELLOW, Look, words

if TYPE_CHECKING:
    from grafana.model import Json

DAY = 86_400
DASH = "\N{EN DASH}"

STRENGTH_NAMES = {
    "phishingResistant": "Phishing-resistant",
    "passwordless": "Passwordless",
    "multifactor": "Multifactor",
    "phone": "Phone",
    "none": "None",
    "unknown": "Unknown",
}
STRENGTH_COLORS = {
    "Phishing-resistant": "dark-green",
    "Passwordless": GREEN,
    "Multifactor": YELLOW,
    "Phone": ORANGE,
    "None": RED,
    "Unknown": GREY,
}
STRENGTH_WORDS = words(**STRENGTH_NAMES)
NOTHING = {"type": "special", "options": {"match": "null", "result": {"color": GREY, "index": 9, "text": DASH}}}
STATUS_WORDS = words(
    mfaCapable="mfaCapable: can do MFA",
    mfaRegistered="mfaRegistered: has a method for MFA",
    passwordlessCapable="passwordlessCapable: needs no password",
    registered="registered: for password reset",
    enabled="enabled: may reset the password",
    capable="capable: can reset the password",
)
STATE_WORDS = words(_1=("Fresh", GREEN), _2=("Stale", ORANGE), _3=("Expired", RED), _4=("Pending", GREY))
COUNTED_WORDS = words(mfaCapable="can do MFA", mfaRegistered="registered for MFA")
DONE_WORDS = words(_1=("Yes", GREEN), _0=("No", RED))


def told_with_sign(rise: str, fall: str) -> Look:
    """Color a change that is told with its sign; none is grey."""
    colors = {r"\+0": GREY, r"\+.*": rise, "-.*": fall}
    return Look("none", no_value=DASH, mappings=(*(_colored(*one) for one in colors.items()), NOTHING))


def _colored(pattern: str, color: str) -> Json:
    return {"type": "regex", "options": {"pattern": f"({pattern})", "result": {"color": color, "text": "$1"}}}


COVERED = ((None, RED), (0.6, ORANGE), (0.8, GREEN))
NOT_KNOWN = "Not known from this source"


def dashed(look: Look) -> Look:
    """Show a dash in a table where there is no value, in no colour that means something."""
    return replace(look, no_value=DASH, mappings=(*look.mappings, NOTHING))


COVERAGE = Look("percentunit", COVERED, decimals=1, minimum=0, maximum=1, no_value="No report")
COVERAGE_LINES = Look("percentunit", decimals=0, minimum=0, maximum=1, by_series=True, no_value="No report")
SHARE = Look("percentunit", ((None, BLUE),), decimals=1, minimum=0, maximum=1, no_value=DASH)
POINTS = Look("suffix: points", ((None, RED), (-0.1, GREY), (0.1, GREEN)), decimals=1, no_value="No report a week ago")
GAP = Look("locale", ((None, GREEN), (1, ORANGE)), decimals=0, no_value="No report")
NO_ADMINS = Look("locale", ((None, GREEN), (1, RED)), decimals=0, no_value=NOT_KNOWN)
PEOPLE = Look("locale", decimals=0, minimum=0, no_value=NOT_KNOWN)
PEOPLE_LINES = Look("locale", decimals=0, minimum=0, by_series=True, no_value=NOT_KNOWN)
NUMBER = Look("locale", ((None, BLUE),), decimals=0, minimum=0)
STATE = Look("none", mappings=(STATE_WORDS,), no_value="Not polled")
DATA_AGE = Look("s", ((None, GREEN), (1.5 * DAY, ORANGE), (2 * DAY, RED)), decimals=1, no_value=NOT_KNOWN)
POLL_AGE = Look("s", ((None, BLUE),), decimals=0, no_value="Never")
SECONDS = Look("s", ((None, BLUE),), decimals=1, minimum=0)
SECONDS_LINES = Look("s", minimum=0, by_series=True)
EXPIRY = Look(
    "s", ((None, RED), (3 * DAY, ORANGE), (30 * DAY, GREEN)), decimals=0, no_value="No tenant uses a certificate"
)
