"""What is made of the exporter's series: the figures of a row, and what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.commands.figures import FAMILIES, REGISTERED, USERS, Index, Row, rows_of
from exporter.commands.series import NotAnExpositionError, Series, read_answer, read_exposition

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = 1_790_000_000.0
DETAILS, COUNT = "userRegistrationDetails", "credentialUserRegistrationCount"


def cells(family: str, values: Mapping[str, float], **labels: str) -> str:
    """Lines of a family with the splits; the keys are `member/true` and so on."""
    text = ""
    for cell, value in values.items():
        user_type, is_admin = cell.split("/")
        pairs = {"tenant": "a", "source": DETAILS, "population": "all", **labels}
        pairs |= {"user_type": user_type, "is_admin": is_admin}
        written = ",".join(f'{name}="{word}"' for name, word in pairs.items())
        text += f"{family}{{{written}}} {value}\n"
    return text


ALL_CELLS = {"member/true": 10, "member/false": 90, "guest/false": 50, "unknown/unknown": 2}
ABLE_CELLS = {"member/true": 8, "member/false": 60, "guest/false": 1, "unknown/unknown": 0}
COMPLETE = (
    cells("entra_users", ALL_CELLS)
    + cells("entra_registered_users", ABLE_CELLS, status="mfaCapable")
    + cells("entra_registered_users", ALL_CELLS, status="mfaRegistered")
    + cells("entra_phone_dependent_users", {"member/true": 1, "member/false": 20, "guest/false": 5}, need="mfa")
    + cells("entra_phone_dependent_users", {"member/false": 99}, need="sspr")
    + f'entra_report_state{{tenant="a",source="{DETAILS}",state="fresh"}} 1\n'
    + f'entra_report_state{{tenant="a",source="{DETAILS}",state="stale"}} 0\n'
    + f'entra_report_last_updated_timestamp_seconds{{tenant="a",source="{DETAILS}"}} {NOW - 7200}\n'
    + f'entra_poll_last_success_timestamp_seconds{{tenant="a",source="{DETAILS}"}} {NOW - 60}\n'
    + 'entra_tenant_info{tenant="a",tenant_id="x",cloud="global",label_customer="M \\"ü\\" \\\\ Co"} 1\n'
)


def rows(text: str, before: dict[str, list[Series]] | None = None) -> list[Row]:
    return rows_of(Index(read_exposition(text, FAMILIES)), None if before is None else Index(before), NOW)


def test_the_figures_of_a_complete_report() -> None:
    """The headline is of everybody but guests; administrators are all of them; labels are unescaped."""
    (row,) = rows(COMPLETE)
    assert (row.tenant, row.population, row.source, row.state) == ("a", "all", DETAILS, "fresh")
    assert (row.users, row.coverage) == (102, 68 / 102)
    assert (row.admins_without_mfa, row.phone_dependent_users, row.age) == (2, 21, 7200)
    assert (row.target, row.change, row.unknown) == (None, None, ())
    assert row.labels == {"customer": 'M "ü" \\ Co'}


def test_a_population_is_of_all_who_are_in_it_and_has_its_target() -> None:
    """Guests count in a population of guests; a target without population judges the headline."""
    of_guests = {"population": "visitors"}
    text = (
        COMPLETE
        + cells("entra_users", {"guest/false": 50}, **of_guests)
        + cells("entra_registered_users", {"guest/false": 25}, status="mfaCapable", **of_guests)
        + 'entra_target_coverage_ratio{tenant="a",population=""} 0.9\n'
        + 'entra_target_coverage_ratio{tenant="a",population="visitors"} 0.4\n'
        + 'entra_population_up{tenant="a",population="lost"} 0\n'
    )
    headline, lost, visitors = rows(text)
    assert (headline.population, headline.target) == ("all", 0.9)
    assert (visitors.users, visitors.coverage, visitors.target) == (50, 0.5, 0.4)
    assert (lost.population, lost.users, lost.coverage) == ("lost", None, None)
    assert lost.unknown == ("users", "coverage", "admins_without_mfa", "phone_dependent_users", "age")


def test_a_report_of_totals_tells_less() -> None:
    """Without splits everybody is counted; who is an administrator is not known; the age is that of the poll."""
    labels = f'tenant="b",source="{COUNT}",population="all"'
    (row,) = rows(
        f"entra_users{{{labels}}} 100\n"
        f'entra_registered_users{{{labels},status="mfaRegistered"}} 27\n'
        f'entra_poll_last_success_timestamp_seconds{{tenant="b",source="{COUNT}"}} {NOW - 60}\n'
    )
    assert (row.users, row.coverage, row.age) == (100, 0.27, 60)
    assert row.unknown == ("admins_without_mfa", "phone_dependent_users")


def test_a_tenant_without_a_report_is_a_row() -> None:
    """Its state and the reason stand there, and nothing is known."""
    (row,) = rows(
        'entra_tenant_info{tenant="c",tenant_id="x",cloud="global"} 1\n'
        f'entra_report_state{{tenant="c",source="{DETAILS}",state="pending"}} 1\n'
        f'entra_poll_failure_reason{{tenant="c",source="{DETAILS}",reason="unlicensed"}} 1\n'
    )
    assert row.state == "pending (unlicensed)"
    assert row.unknown == ("users", "coverage", "admins_without_mfa", "phone_dependent_users", "age")


def test_like_is_compared_with_like() -> None:
    """The change is that of the same status and source; where that was not known a week ago, it is not known."""
    index = read_exposition(COMPLETE, FAMILIES)
    earlier = {
        USERS: [Series(one.labels, one.value * 2) for one in index[USERS]],
        REGISTERED: list(index[REGISTERED]),
    }
    (row,) = rows(COMPLETE, earlier)
    assert row.change == pytest.approx(68 / 102 - 68 / 204)
    earlier[REGISTERED] = [one for one in index[REGISTERED] if one.labels["status"] == "mfaRegistered"]
    (row,) = rows(COMPLETE, earlier)
    assert (row.change, row.unknown) == (None, ("change",))
    (row,) = rows(COMPLETE, {USERS: [], REGISTERED: []})
    assert row.unknown == ("change",)


def test_an_answer_of_prometheus() -> None:
    """Labels and values of an instant query; anything else is refused."""
    body = b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{"tenant":"a"},"value":[1,"2.5"]}]}}'
    assert read_answer(body) == [Series({"tenant": "a"}, 2.5)]
    for wrong in (b"<html>", b'{"status":"error"}', b'{"data":{"result":[{"metric":{},"value":[1,"x"]}]}}'):
        with pytest.raises(ValueError):  # msgspec's is one
            read_answer(wrong)


@pytest.mark.parametrize("text", ["", "<html></html>", "node_load1 0.5\n", "# HELP entra_users x\n"])
def test_other_texts_are_no_exposition(text: str) -> None:
    """A page of somebody else's is said to be one, and is not a report without tenants."""
    with pytest.raises(NotAnExpositionError):
        rows(text)
