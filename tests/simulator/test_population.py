"""The generated people: the same for a seed, on the move, and counted right."""

from __future__ import annotations

import pickle
from itertools import pairwise

from exporter.simulator import GeneratedPopulation, SimulatedTenant, Truth, count
from exporter.simulator.truth import strength

DAY = 86_400.0


def population(users: int = 2_000, maturity: float = 0.4, **more: float) -> GeneratedPopulation:
    return GeneratedPopulation(seed=7, users=users, maturity=maturity, epoch=0.0, period_seconds=DAY, **more)  # type: ignore[arg-type]


def test_same_seed_same_people() -> None:
    """Two populations of one seed list the same rows; another seed lists others."""
    assert list(population().rows(12)) == list(population().rows(12))
    other = GeneratedPopulation(seed=8, users=2_000, maturity=0.4, epoch=0.0, period_seconds=DAY)
    assert list(other.rows(12)) != list(population().rows(12))


def test_any_day_by_itself() -> None:
    """A day's rows do not depend on which days, or which pages, were asked for before."""
    walked = population()
    for day in range(40):
        walked.rows(day)[3:9]
    assert walked.rows(33)[500:510] == list(population().rows(33))[500:510]
    assert walked.rows(33)[-1] == list(population().rows(33))[-1]


def test_another_process_can_count_too() -> None:
    """A tenant goes to another process whole: there its population, and its directory's, are the same."""
    tenant = SimulatedTenant(name="contoso", tenant_id="a", apps=[], population=population())
    there = pickle.loads(pickle.dumps(tenant))
    assert there.population.truth(12) == tenant.population.truth(12)
    assert there.directory.population() is there.population


def test_ids_are_unique_and_stay() -> None:
    """No two users share an id, and from one day to the next nearly all of them stay."""
    days = [{row["id"] for row in population(users=5_000).rows(day)} for day in (0, 1, 400)]
    assert [len(ids) for ids in days] == [len(population(users=5_000).rows(day)) for day in (0, 1, 400)]
    assert 0.985 < len(days[0] & days[1]) / len(days[0]) < 1
    assert len(days[0] & days[2]) / len(days[0]) < 0.7


def test_registration_rises_through_a_campaign() -> None:
    """The share of registered users is low before the campaign, rises throughout, and is high after it."""
    people = population(users=4_000, campaign_day=10.0)
    shares = [people.truth(day).status("mfaRegistered") / people.truth(day).total for day in range(0, 61, 6)]
    assert shares[-1] - shares[0] > 0.2
    assert all(later > earlier - 0.01 for earlier, later in pairwise(shares))


def test_past_is_known() -> None:
    """The days before day 0 can be asked for, and were poorer in registrations."""
    people = population()
    assert people.generation(-30 * DAY) == -30
    past, now = people.truth(-300), people.truth(0)
    assert past.status("mfaRegistered") / past.total < now.status("mfaRegistered") / now.total


def test_maturity_shows() -> None:
    """A mature tenant has more phishing-resistant users than a laggard, and its administrators more than its users."""
    laggard, modern = (population(maturity=one, admins=0.1).truth(0) for one in (0.1, 0.9))

    def share(truth: Truth, is_admin: str) -> float:
        return truth.strengths["member", is_admin, "phishingResistant"] / truth.users["member", is_admin]

    assert share(modern, "false") > 3 * share(laggard, "false")
    assert share(modern, "true") > share(modern, "false")


def test_flags_follow_from_methods() -> None:
    """No row contradicts itself: capable implies registered, and the methods decide."""
    for row in population(maturity=0.6).rows(30):
        methods = row["methodsRegistered"]
        assert row["isMfaRegistered"] == (strength(methods) != "none")
        assert row["isMfaRegistered"] or not row["isMfaCapable"]
        assert row["isSsprCapable"] == (row["isSsprRegistered"] and row["isSsprEnabled"])
        assert not row["isPasswordlessCapable"] or strength(methods) in {"phishingResistant", "passwordless"}
        assert (row["userPreferredMethodForSecondaryAuthentication"] == "push") <= (
            "microsoftAuthenticatorPush" in methods
        )


def test_every_kind_of_user() -> None:
    """Members and guests, with and without an administrator's role, are all there."""
    assert set(population().truth(0).users) == {
        ("member", "false"),
        ("member", "true"),
        ("guest", "false"),
        ("guest", "true"),
    }


def test_truth_against_a_recount() -> None:
    """The reference counts are those that set algebra over the rows gives."""
    people = population()
    rows, truth = list(people.rows(20)), people.truth(20)
    admins = [row for row in rows if row["userType"] == "member" and row["isAdmin"]]
    assert truth.users["member", "true"] == len(admins)
    assert truth.total == truth.rows == len(rows)
    assert truth.methods["member", "true", "mobilePhone"] == len(
        [row for row in admins if "mobilePhone" in row["methodsRegistered"]]
    )
    assert sum(truth.strengths.values()) == sum(truth.default_methods.values()) == len(rows)
    assert truth.status("capable") == len([row for row in rows if row["isSsprCapable"]])
    assert (truth.duplicates, truth.incomplete) == (0, 0)
    assert truth.newest == 20 * DAY - people.lag_seconds


def test_truth_of_broken_rows() -> None:
    """A missing split counts as unknown, a missing flag nowhere, missing methods as unknown strength, a repeat once."""
    whole = dict(population().rows(0)[0], id="a", userType="guest", isAdmin=True, methodsRegistered=["fido2"])
    truth = count([whole, whole, {"id": "b", "isMfaCapable": True, "methodsRegistered": ["newWord"]}, {"id": "c"}])
    assert (truth.rows, truth.duplicates, truth.incomplete, truth.total) == (4, 1, 2, 3)
    assert truth.users == {("guest", "true"): 1, ("unknown", "unknown"): 2}
    assert truth.status("mfaCapable") == whole["isMfaCapable"] + 1
    assert truth.strengths == {
        ("guest", "true", "phishingResistant"): 1,
        ("unknown", "unknown", "unknown"): 2,
    }


def test_strength_is_the_strongest() -> None:
    """The strongest known method decides; nothing is none; only unknown words are unknown."""
    assert strength(["mobilePhone", "fido2", "email"]) == "phishingResistant"
    assert strength(["microsoftAuthenticatorPasswordless", "mobilePhone"]) == "passwordless"
    assert strength(["softwareOneTimePasscode", "mobilePhone"]) == "multifactor"
    assert strength(["officePhone", "newWord"]) == "phone"
    assert [strength([]), strength(["email", "newWord"]), strength(["newWord"])] == ["none", "none", "unknown"]


def test_newcomers_have_nothing_yet() -> None:
    """Of those who joined yesterday few have registered, even where nearly all others have."""
    people = population(users=30_000, maturity=1.0)
    known = {row["id"] for row in people.rows(99)}
    newcomers = [row for row in people.rows(100) if row["id"] not in known]
    assert len(newcomers) > 20
    assert sum(row["isMfaRegistered"] for row in newcomers) < len(newcomers) * 0.4
    assert people.truth(100).status("mfaRegistered") > people.truth(100).total * 0.6
