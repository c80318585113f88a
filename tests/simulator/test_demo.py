"""The demonstration has something to show from the first minute."""

from __future__ import annotations

from exporter.simulator.demo import DAY_SECONDS, demo_tenants

NOW = 1_790_000_000.0


def test_five_tenants_of_different_kinds() -> None:
    """There are five tenants of very different size; one has no licence, one grants the count report only."""
    tenants = {tenant.name: tenant for tenant in demo_tenants(NOW)}
    sizes = {name: len(tenant.population.rows(0)) for name, tenant in tenants.items()}
    assert sorted(sizes) == ["contoso", "fabrikam", "northwind", "tailspin", "woodgrove"]
    assert 200 < min(sizes.values()) < 1_000
    assert 55_000 < max(sizes.values()) < 65_000
    assert [name for name, tenant in tenants.items() if not tenant.licensed] == ["woodgrove"]
    narrow = [name for name, one in tenants.items() if one.roles(one.apps[0]) == {"Reports.Read.All"}]
    assert narrow == ["tailspin"]
    assert len({tenant.tenant_id for tenant in tenants.values()}) == 5


def test_ten_minutes_move() -> None:
    """Within ten minutes the laggard's registrations rise by a fifth of its users, and people come and go."""
    people = demo_tenants(NOW)[0].population
    first, last = (people.generation(NOW + seconds) for seconds in (0, 60 * DAY_SECONDS))
    before, after = people.truth(first), people.truth(last)
    assert after.status("mfaRegistered") / after.total - before.status("mfaRegistered") / before.total > 0.2
    stayed = {row["id"] for row in people.rows(first)} & {row["id"] for row in people.rows(last)}
    assert 0.8 * before.total < len(stayed) < before.total


def test_report_is_fresh() -> None:
    """The demonstration's reports are seconds old, as its days are."""
    people = demo_tenants(NOW)[2].population
    newest = people.truth(people.generation(NOW + 100)).newest
    assert newest is not None
    assert 0 < NOW + 100 - newest < DAY_SECONDS
