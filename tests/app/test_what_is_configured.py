"""What only the configuration says is a metric too, as long as it says so."""

from __future__ import annotations

from exporter.config.settings import Target
from tests.manual_clock import ManualClock, run
from tests.running import running, simulated

COVERAGE, PHONES = "entra_target_coverage_ratio", "entra_phone_delivery_end_timestamp_seconds"


def test_targets_and_the_end_of_phones_follow_the_configuration() -> None:
    """They are there from the first scrape on, change with a reload, and go when they are removed."""
    one, two = simulated(1, users=3), simulated(2, users=3)

    async def main(clock: ManualClock) -> None:
        async with running(clock, one, two, shard=0, total_shards=1) as daemon:
            exposition = await daemon.scrape()
            assert exposition.all(COVERAGE) == exposition.all(PHONES) == []
            assert exposition.value("entra_exporter_shards") == 1
            daemon.change(one.name, targets=(Target("", 0.9), Target("staff", 1.0)), phone_delivery_end=1801440000.0)
            assert await daemon.reload()
            exposition = await daemon.scrape()
            assert exposition.value(COVERAGE, tenant=one.name, population="") == 0.9
            assert exposition.value(COVERAGE, tenant=one.name, population="staff") == 1
            assert exposition.value(PHONES, tenant=one.name) == 1801440000
            assert exposition.all(COVERAGE, tenant=two.name) == []
            daemon.change(one.name, targets=(), phone_delivery_end=None)
            assert await daemon.reload()
            exposition = await daemon.scrape()
            assert exposition.all(COVERAGE) == exposition.all(PHONES) == []

    run(main)
