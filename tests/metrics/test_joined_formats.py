"""Many tenants in one exposition: both formats, plain and gzip, also while snapshots are replaced."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from exporter.metrics.compressed import Fragment, fragment, stream
from exporter.metrics.exposition import Format, render
from exporter.metrics.family import sample
from exporter.metrics.self_metrics import SelfMetrics
from exporter.polling import snapshot as snapshots
from exporter.polling.health import FAILURES, HEALTH_FAMILIES, POLLS, UP
from exporter.polling.snapshot import GROUP, Snapshot, SnapshotStore
from exporter.reports.report import REGISTERED_USERS, REPORT_FAMILIES, USERS
from tests.checks import Exposition, check_promtool, gunzip
from tests.loop_rounds import counting_rounds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.metrics.family import Family

FAMILIES = (*REPORT_FAMILIES, *HEALTH_FAMILIES)
TENANTS = [f"tenant-{number}" for number in range(3 * GROUP + 5)]


def snapshot(tenant: str, value: int) -> Snapshot:
    """A tenant whose every sample is `value`."""
    families: tuple[tuple[Family, dict[str, str]], ...] = (
        (USERS, {}),
        (REGISTERED_USERS, {"status": "mfaCapable"}),
        (POLLS, {}),
        (FAILURES, {"reason": "timeout"}),
    )
    samples = [sample(family, value, source="test", **labels) for family, labels in families]
    return Snapshot(render([*samples, sample(UP, 1, source="test")], tenant=tenant))


def filled(tenants: Iterable[str] = TENANTS, value: int = 1) -> SnapshotStore:
    store = SnapshotStore(FAMILIES)
    for tenant in tenants:
        store.replace(tenant, snapshot(tenant, value))
    return store


async def plain(store: SnapshotStore, form: Format) -> bytes:
    joined = await store.joined(form)
    body = b"".join(joined)
    assert len(body) == joined.length
    return body


async def unpacked(store: SnapshotStore, form: Format) -> bytes:
    return gunzip(b"".join(stream(await store.joined_gzip(form))))


def whole(store_bytes: bytes, form: Format) -> str:
    own = SelfMetrics(version="1", revision="r", shard=0, total_shards=1, endpoints=("details",))
    return (store_bytes + own.render(form)).decode()


@pytest.mark.parametrize("form", Format)
def test_both_parsers_read_it(form: Format) -> None:
    """Data and own metrics together parse, each family stands together under one header, `# EOF` is last or absent."""
    text = whole(asyncio.run(plain(filled(), form)), form)
    exposition = Exposition(text, openmetrics=form is Format.OPENMETRICS)
    check_promtool(exposition)
    assert len(exposition.all("entra_users")) == len(TENANTS)
    assert len(exposition.all("entra_polls_total")) == len(TENANTS)
    names = [line.partition("{")[0].partition(" ")[0] for line in text.splitlines() if line[0] != "#"]
    changes = [name for name, before in zip(names, [None, *names], strict=False) if name != before]
    in_data = [name for name in changes if not name.startswith(("entra_exporter", "process_", "python_"))]
    assert len(in_data) == len(set(in_data))
    assert text.endswith("# EOF\n") == (form is Format.OPENMETRICS)


def test_data_lines_are_alike() -> None:
    """The samples are the same bytes in both formats; only headers differ."""
    store = filled()
    text, openmetrics = (
        [line for line in asyncio.run(plain(store, form)).splitlines() if not line.startswith(b"#")] for form in Format
    )
    assert text == openmetrics


@pytest.mark.parametrize(("group", "bundle"), [(snapshots.GROUP, snapshots.BUNDLE), (3, 2)])
@pytest.mark.parametrize("form", Format)
def test_gzip_unpacks_to_the_same_bytes(form: Format, group: int, bundle: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fragments put together are one gzip stream of the plain text, before and after each kind of change."""
    monkeypatch.setattr(snapshots, "GROUP", group)
    monkeypatch.setattr(snapshots, "BUNDLE", bundle)
    store = filled()

    async def main() -> None:
        assert await unpacked(store, form) == await plain(store, form)
        store.replace("tenant-70", snapshot("tenant-70", 9))
        store.drop("tenant-3")
        store.replace("tenant-new", snapshot("tenant-new", 4))
        assert await unpacked(store, form) == await plain(store, form)
        for tenant in TENANTS:
            store.drop(tenant)
        assert await unpacked(store, form) == await plain(store, form)
        store.drop("tenant-new")
        assert await unpacked(store, form) == await plain(store, form) == b""

    asyncio.run(main())


def test_replaced_while_compressing() -> None:
    """Whatever is replaced during compression, each tenant is wholly old or wholly new, and the next scrape is new."""
    store = filled(value=50)

    async def replace_all() -> None:
        for value in range(2, 30):
            for tenant in TENANTS[:: value % 5 + 1]:
                store.replace(tenant, snapshot(tenant, value))
            await asyncio.sleep(0)

    async def scrape() -> None:
        for form in (*Format, *Format):
            exposition = Exposition(whole(await unpacked(store, form), form), openmetrics=form is Format.OPENMETRICS)
            assert exposition.tenants() == set(TENANTS)
            for tenant in TENANTS[::7]:
                values = {one.value for one in exposition.samples if one.labels.get("tenant") == tenant}
                assert len(values - {1}) == 1  # entra_up is 1, the rest is one replacement's

    async def main() -> None:
        await asyncio.gather(replace_all(), *(scrape() for _ in range(3)))
        for form in Format:
            assert await unpacked(store, form) == await plain(store, form)

    asyncio.run(main())


@pytest.mark.parametrize("form", Format)
def test_a_reload_during_a_scrape(form: Format) -> None:
    """A scrape shows what there was when it began, though groups vanish and a tenant moves while it is put together."""

    async def main() -> None:
        store, as_it_was = filled(), await plain(filled(), form)
        scrapes = [asyncio.create_task(plain(store, form)), asyncio.create_task(unpacked(store, form))]
        await asyncio.sleep(0)
        store.replace("moved", snapshot(TENANTS[0], 2))
        for tenant in (TENANTS[0], *TENANTS[GROUP : 3 * GROUP]):
            store.drop(tenant)
        assert await asyncio.gather(*scrapes) == [as_it_was, as_it_was]
        assert await unpacked(store, form) == await plain(store, form) != as_it_was

    asyncio.run(main())


def test_scrapes_share_what_is_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many scrapes come at once, each group is compressed once."""
    store, compressed = filled(), list[int]()

    def counted(text: bytes) -> Fragment:
        compressed.append(len(text))
        return fragment(text)

    monkeypatch.setattr("exporter.polling.snapshot.fragment", counted)

    async def main() -> None:
        await asyncio.gather(*(store.joined_gzip(Format.TEXT) for _ in range(10)))

    asyncio.run(main())
    assert len(compressed) == len(FAMILIES) * 4


def test_a_scrape_lets_others_go_between_its_pieces() -> None:
    """While an exposition of several groups is put together, the loop goes round once for each."""

    async def main() -> int:
        store = filled()
        async with counting_rounds() as rounds:
            await plain(store, Format.TEXT)
        return rounds()

    assert asyncio.run(main()) >= len(TENANTS) // GROUP
