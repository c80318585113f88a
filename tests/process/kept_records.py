"""A record that is written to --storage.path over and over."""

from __future__ import annotations

from exporter.config.settings import AUTO, AzureCli, Tenant
from exporter.metrics.family import sample
from exporter.polling.history import SourceRecord
from exporter.polling.shown import NO_LINES, shown
from exporter.reports.report import METHOD_USERS, USERS, Report

TENANT = Tenant(
    name="contoso",
    tenant_id="7e4a0000-0000-4000-8000-000000000001",
    cloud="global",
    sources=(AUTO,),
    poll_interval=3600,
    poll_timeout=1800,
    max_staleness=7200,
    splits=(),
    credential=AzureCli(),
)
SAMPLES = (sample(USERS, 7), *(sample(METHOD_USERS, 1, method=f"method{number}") for number in range(2000)))
RECORD = SourceRecord()
RECORD.succeeded(
    shown(Report(7, SAMPLES, 7), "userRegistrationDetails", NO_LINES, completed_at=1.7e9, completed=0.0), 1.0
)
