"""A registry of prometheus_client that remembers how its collectors were written, and writes only what has changed."""

from __future__ import annotations

from functools import lru_cache
from itertools import starmap
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.utils import floatToGoString

from exporter.metrics.exposition import Format, label_pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.registry import Collector


class CachedRegistry(CollectorRegistry):
    """Writes as prometheus_client would itself, which takes OpenMetrics twice as long and more."""

    def __init__(self) -> None:
        super().__init__(auto_describe=False)
        self._texts: dict[Format, dict[Collector, str | None]] = {form: {} for form in Format}
        self._whole: dict[Format, bytes] = {}

    def register(self, collector: Collector) -> None:
        """Add a collector, behind those that are there."""
        super().register(collector)
        self.changed(collector)

    def changed(self, *collectors: Collector) -> None:
        """Forget how `collectors` were written: they tell something else now."""
        for texts in self._texts.values():
            texts.update(dict.fromkeys(collectors))
        self._whole.clear()

    def write(self, form: Format) -> bytes:
        """Write all of it; in OpenMetrics with the closing `# EOF`. The very same object until something changes."""
        if form not in self._whole:
            texts = self._texts[form]
            for collector, text in texts.items():
                if text is None:
                    texts[collector] = "".join(_lines(collector, form))
            end = "# EOF\n" if form is Format.OPENMETRICS else ""
            self._whole[form] = ("".join(filter(None, texts.values())) + end).encode()
        return self._whole[form]


def _lines(collector: Collector, form: Format) -> Iterator[str]:
    for metric in collector.collect():
        name = f"{metric.name}_total" if metric.type == "counter" and form is Format.TEXT else metric.name
        yield f"# HELP {name} {metric.documentation}\n# TYPE {name} {metric.type}\n"
        for one in metric.samples:
            number = floatToGoString(one.value)  # type: ignore[no-untyped-call]
            yield f"{_series(one.name, *one.labels.items())} {number}\n"


@lru_cache(maxsize=1024)
def _series(name: str, *labels: tuple[str, str]) -> str:
    return f"{name}{{{','.join(starmap(label_pair, sorted(labels)))}}}" if labels else name
