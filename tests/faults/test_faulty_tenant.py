"""One tenant is faulty, and the exporter as a whole is looked at: the victim, the others, the log, the status page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.battery import Case, Outcome, go_through
from tests.faults.entra_cases import ENTRA
from tests.faults.extra_cases import EXTRAS
from tests.faults.graph_cases import GRAPH
from tests.faults.network_cases import NETWORK
from tests.faults.payload_cases import PAYLOAD
from tests.faults.process_cases import BUGS

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = [*NETWORK, *ENTRA, *GRAPH, *PAYLOAD, *EXTRAS, *BUGS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_faulty_tenant_is_alone_with_it(case: Case, reliability: Callable[[str, Outcome], None]) -> None:
    """Its polls fail for the right reason, its old report stays, nobody else notices, and it recovers by itself."""
    reliability(case.name, go_through(case))
