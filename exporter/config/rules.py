"""What a single text of the configuration has to look like, said once for file, flags and JSON Schema."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlsplit

from exporter.config import durations
from exporter.document.rules import Rule

MEMBERSHIP_SECONDS = 300.0
ORIGIN = r"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?"


def _interval(text: str) -> None:
    if durations.parse_duration(text) < 1:
        raise ValueError("shorter than 1s")


def _membership_interval(text: str) -> None:
    if durations.parse_duration(text) < MEMBERSHIP_SECONDS:
        raise ValueError("shorter than 5m")


def _not_all(text: str) -> None:
    if text == "all":
        raise ValueError("the population of all users, which is always there")


def _positive(text: str) -> None:
    if not durations.parse_duration(text):
        raise ValueError("no time at all")


def _share(text: str) -> None:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise ValueError("not above 0 and at most 1")


def _day(text: str) -> None:
    if text == NEVER:
        return
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("not in the calendar") from None


def _port(text: str) -> None:
    try:
        port = urlsplit(text).port
    except ValueError:
        port = 0  # above 65535, or an IPv6 address that is none
    if port == 0:
        raise ValueError("an address without a usable host and port")


GUID = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
DURATION_HINT = "write it as Prometheus does: 30s, 5m, 1h30m, 1d"
INTERVAL = Rule("a duration", DURATION_HINT, durations.PATTERN, _interval, quote=True)
DURATION = Rule("a duration", DURATION_HINT, durations.PATTERN, _positive, quote=True)
TENANT_ID = Rule(
    "a GUID",
    "give the Tenant ID from the overview page of the Entra admin center; a domain name is not enough, because every "
    "token is checked against the id",
    GUID,
)
CLIENT_ID = Rule("a GUID", "give the Application (client) ID from the application's overview page in Entra", GUID)
NAME = Rule(
    "a tenant's name",
    "use letters, digits, dots, hyphens and underscores: at most 64, a letter or digit first",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    quote=True,
)
LABEL_KEY = Rule(
    "the name of a label",
    "use lower-case letters, digits and underscores, a letter first",
    r"^[a-z][a-z0-9_]{0,62}$",
    quote=True,
)
LABEL_VALUE = Rule(
    "the value of a label", "use at most 64 characters, none of them <, >, &, | or a backquote", r"^[^<>&|`]{1,64}$"
)
ADDRESS = Rule(
    "an https address", "write https://host or https://host:port, without path or user", rf"^https://{ORIGIN}$", _port
)
PROXY = Rule(
    "the address of a proxy",
    "write http://host:port, or http://user:password@host:port with special characters percent-encoded",
    rf"^https?://([^\s/@:]+(:[^\s/@:]*)?@)?{ORIGIN}$",
    _port,
)
VARIABLE = Rule(
    "the name of an environment variable",
    "give the variable's name here and the secret in the variable",
    "^[A-Za-z_][A-Za-z0-9_]*$",
)
INLINE_SECRET = Rule("a secret", "put the secret into a file and name it in client_secret_file")
MEMBERSHIP_INTERVAL = Rule("a duration", DURATION_HINT, durations.PATTERN, _membership_interval, quote=True)
POPULATION = Rule(
    "a population's name",
    "use letters, digits, hyphens and underscores: at most 32, a small letter first",
    r"^[a-z][a-zA-Z0-9_-]{0,31}$",
    _not_all,
    quote=True,
)
COVERAGE = Rule(
    "a share of users",
    "write a number above 0 and at most 1: 0.95 for 95 %",
    r"^[0-9]{0,3}(\.[0-9]{0,18})?$",
    _share,
    quote=True,
)
NEVER = "never"
DAY_OR_NEVER = Rule(
    "a day or never", "write 2027-02-01, or never", rf"^({NEVER}|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})$", _day, quote=True
)
FILTER = Rule("a filter", "write an OData expression for users, such as employeeType eq 'Employee'", r"^.{1,4000}$")
OBJECT_ID = Rule("an object id", "give the Object ID, a GUID, from the overview page of the group or the user", GUID)
