"""What the status page says of one tenant and source: the same facts as its metrics, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.directory.holdings import RECONCILE
from exporter.polling.shown import State
from exporter.polling.snapshot import Coverage, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.config.settings import Tenant
    from exporter.directory.holdings import Holdings
    from exporter.polling.history import SourceRecord
    from exporter.polling.shown import Shown, ShownPopulation

#: The status that stands for "can do MFA" on the status page: the first that the report tells.
MFA_STATUSES = ("mfaCapable", "mfaRegistered")


def status(
    tenant: Tenant,
    source: str,
    record: SourceRecord,
    state: State,
    *,
    next_poll: float | None,
    fallback: str | None,
    parts: tuple[Coverage, ...] = (),
) -> Status:
    """Make the status of `tenant` from the record of the source that is described.

    `fallback` says why it is not the preferred one; `parts` are its populations.
    """
    report = record.report if state in {State.FRESH, State.STALE} else None
    statuses = report.statuses if report else {}
    mfa_status = next((word for word in MFA_STATUSES if word in statuses), MFA_STATUSES[0])
    error = record.error
    return Status(
        tenant=tenant.name,
        tenant_id=tenant.tenant_id,
        cloud=tenant.cloud if isinstance(tenant.cloud, str) else "custom",
        source=source,
        state=state,
        users=report.users if report else None,
        mfa_users=statuses.get(mfa_status),
        mfa_status=mfa_status,
        phone_users=report.phone_users if report else None,
        last_updated=report.last_updated if report else None,
        last_success=record.report.completed_at if record.report else None,
        next_poll=next_poll,
        interval=tenant.poll_interval,
        error=error.sentence if error else None,
        reason=error.reason if error else None,
        fallback=fallback,
        labels=tenant.labels,
        populations=parts,
        judged=_judged(tenant, report, mfa_status, parts),
    )


def _judged(tenant: Tenant, report: Shown | None, mfa_status: str, parts: tuple[Coverage, ...]) -> Coverage | None:
    """Say how far the tenant is from its target: the one for everybody but guests, or else the first."""
    for target in tenant.targets:
        if not target.population:
            users = report.judged_users if report else None
            mfa_users = report.judged_statuses.get(mfa_status) if report else None
            return Coverage("", users, mfa_users, target.coverage)
    return next((one for target in tenant.targets for one in parts if one.population == target.population), None)


def coverages(shown: Mapping[str, ShownPopulation], holdings: Holdings) -> Iterator[Coverage]:
    """Say of each population how far it is, or why nobody knows; `shown` are those that are shown, by name."""
    problems, targets = holdings.problems(), {one.population: one.coverage for one in holdings.tenant.targets}
    for one in holdings.tenant.populations:
        found = shown.get(one.name)
        yield Coverage(
            one.name,
            users=found.users if found else None,
            mfa_users=next((found.statuses[word] for word in MFA_STATUSES if word in found.statuses), None)
            if found
            else None,
            target=targets.get(one.name),
            problem=problems.get(one.name),
            phone_users=found.phone_users if found else None,
        )
    if RECONCILE in problems:
        yield Coverage("reconcile", problem=problems[RECONCILE])
