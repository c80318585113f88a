"""Bodies that were made to hurt: whatever they hold, a report or an error of ours comes of them, and soon.

FUZZ_BYTES=10000000 takes as many bytes in all as are worth an hour:

    FUZZ_BYTES=10000000 python -m pytest -s tests/reports/test_hostile_bodies.py -k mutated
"""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from random import Random
from typing import TYPE_CHECKING

import pytest

from exporter.errors import PollError, Reason
from exporter.reports.credential_user_registration_count import CredentialUserRegistrationCount
from exporter.reports.report import Report
from exporter.reports.user_registration_details import UserRegistrationDetails
from exporter.reports.users_registered import UsersRegistered
from tests.reports.recorded import RecordedGraph, outcome, shown
from tests.reports.test_details_counts import row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.reports.report import Source

FUZZ_BYTES = int(os.environ.get("FUZZ_BYTES", "300000"))
DETAILS, COUNT, FUNCTIONS = UserRegistrationDetails(), CredentialUserRegistrationCount(), UsersRegistered()
ENTRIES = [{"registrationStatus": "registered", "registrationCount": 5}, {"userRegistrationStatus": "enabled"}]
GOOD: list[tuple[Source, list[bytes]]] = [
    (DETAILS, [json.dumps({"value": [row(at, methodsRegistered=["fido2", "x"]) for at in range(3)]}).encode()]),
    (COUNT, [json.dumps({"value": [{"totalUserCount": 9, "userRegistrationCounts": ENTRIES}]}).encode()]),
    (
        FUNCTIONS,
        [
            b'{"totalUserCount":9,"userTypes":"all","userRegistrationFeatureCounts":[{"feature":"mfaCapable","userCount":3}]}',
            b'{"totalUserCount":9,"userRegistrationMethodCounts":[{"authenticationMethod":"fido2","userCount":3}]}',
        ],
    ),
]
PIECES = [
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"NaN",
    b'""',
    b'"\\ud800"',
    b"\xff",
    b"[]",
    b"{}",
    b"[[[[",
    b"}",
    b",",
    b'"',
    b"\\",
    b"0" * 60,
]
PIECES += [b'"value":', b'"id":', b'"isAdmin":', b'"methodsRegistered":[', b'"totalUserCount":', b'"@odata.nextLink":']


def collect(source: Source, bodies: Iterable[bytes]) -> Report | PollError:
    """The report or our error that comes of the bodies; anything else that is raised fails the test."""
    try:
        return outcome(source.collect(RecordedGraph(iter(bodies)), ()))
    except PollError as error:
        return error


def mutated(body: bytes, dice: Random) -> bytes:
    """The body with some of it cut out, doubled, replaced, or a value put where none belongs."""
    changed = bytearray(body)
    for _ in range(dice.randint(1, 6)):
        start, length = dice.randrange(len(changed) + 1), dice.choice([0, 1, 1, 2, 8, 40])
        piece = dice.choice([b"", dice.randbytes(3), bytes(changed[start : start + 40]), *dice.sample(PIECES, 3)])
        changed[start : start + length] = piece
    return bytes(changed)


@pytest.mark.parametrize(("source", "bodies"), GOOD, ids=[source.name for source, _ in GOOD])
def test_mutated_bodies_become_a_report_or_an_error_of_ours(source: Source, bodies: list[bytes]) -> None:
    """Of any bytes comes a whole report, rendered and well-formed, or an error of ours that repeats none of them."""
    dice, seen, reports = Random(1), 0, 0
    while seen < FUZZ_BYTES // len(GOOD):
        tried = [mutated(body, dice) if dice.random() < 0.8 else body for body in bodies]
        seen += sum(map(len, tried))
        result = collect(source, tried)
        if isinstance(result, Report):
            reports += 1
            assert result.users > 0
            assert shown(result).total("entra_users") == result.users
        else:
            assert result.reason in {Reason.MALFORMED, Reason.INCOMPLETE}
            assert "canary" not in result.sentence
    assert reports > 0
    print(f"{source.name}: {seen:,} bytes, {reports:,} of them reports")  # noqa: T201 - whoever asks for many sees it


KNOWN = '"fido2"'


def details_of(*rows: str) -> bytes:
    return f'{{"value":[{",".join(rows)}]}}'.encode()


def in_row(name: str, value: str) -> str:
    return f'{{"id":"canary","{name}":{value}}}'


def words(number: int) -> str:
    return ",".join(f'"w{at}"' for at in range(number))


HOSTILE: dict[str, tuple[Source, Callable[[int], bytes]]] = {
    "rows without a field": (DETAILS, lambda n: details_of(*["{}"] * n)),
    "rows with a mistyped field": (DETAILS, lambda n: details_of(*[in_row("isAdmin", "7")] * n)),
    "rows that are none": (DETAILS, lambda n: details_of(*["null"] * n)),
    "numbers for rows": (DETAILS, lambda n: details_of(*["1"] * n)),
    "methods of one row": (DETAILS, lambda n: details_of(in_row("methodsRegistered", f"[{words(n)}]"))),
    "one known method, again and again": (
        DETAILS,
        lambda n: details_of(in_row("methodsRegistered", f"[{','.join([KNOWN] * n)}]")),
    ),
    "methods nobody knows": (
        DETAILS,
        lambda n: details_of(
            *(
                in_row("methodsRegistered", f'["a{at}","b{at}","c{at}","d{at}"]').replace("canary", str(at))
                for at in range(n)
            )
        ),
    ),
    "a long text": (DETAILS, lambda n: details_of(in_row("userType", f'"{"x" * n * 30}"'))),
    "a long time": (DETAILS, lambda n: details_of(in_row("lastUpdatedDateTime", f'"{"2" * n * 30}"'))),
    "a long number": (DETAILS, lambda n: details_of(in_row("isAdmin", "7" * n))),
    "brackets": (DETAILS, lambda n: details_of(in_row("isAdmin", "[" * n + "]" * n))),
    "entries": (COUNT, lambda n: _counted("{}", n)),
    "numbers for entries": (COUNT, lambda n: _counted("1", n)),
    "new statuses": (COUNT, lambda n: _counted('{"registrationStatus":"s%d","registrationCount":1}', n)),
    "objects": (COUNT, lambda n: b'{"value":[' + b"{}," * n + b"{}]}"),
    "features": (FUNCTIONS, lambda n: _features('{"feature":"s%d","userCount":1}', n)),
    "numbers for features": (FUNCTIONS, lambda n: _features("1", n)),
}


def _listed(entry: str, number: int) -> str:
    return ",".join(entry % at if "%d" in entry else entry for at in range(number))


def _counted(entry: str, number: int) -> bytes:
    return f'{{"value":[{{"totalUserCount":5,"userRegistrationCounts":[{_listed(entry, number)}]}}]}}'.encode()


def _features(entry: str, number: int) -> bytes:
    return f'{{"totalUserCount":5,"userRegistrationFeatureCounts":[{_listed(entry, number)}]}}'.encode()


SMALL, LARGE = 700, 2_800


@pytest.mark.parametrize("name", HOSTILE)
def test_the_time_is_at_most_linear(name: str) -> None:
    """Four times as much takes at most some four times the CPU, far from sixteen times."""
    source, make = HOSTILE[name]
    small, large = (min(_seconds(source, make(number)) for _ in range(5)) for number in (SMALL, LARGE))
    assert large < 8 * small + 0.005


def _seconds(source: Source, body: bytes) -> float:
    began = time.process_time()
    collect(source, [body, body])
    return time.process_time() - began


@pytest.mark.parametrize("name", HOSTILE)
def test_very_much_is_refused_before_it_is_made(name: str) -> None:
    """A body of a million rows, entries, methods or brackets takes little more memory than its own, and its time."""
    source, make = HOSTILE[name]
    body = make(300_000)
    tracemalloc.start()
    try:
        result = collect(source, [body, body])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(result, PollError)
    assert peak < 4 * len(body) + 2_000_000
