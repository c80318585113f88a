"""What the log says of polls: once when the trouble begins or changes, once when it ends."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.logs import fields
from exporter.polling.shown import Shown, State

if TYPE_CHECKING:
    from exporter.errors import PollError
    from exporter.polling.view import View

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PollLog:
    """Tells how one poll ended, of which it was made before the poll began."""

    view: View
    earlier_error: PollError | None
    earlier_source: str
    earlier_state: State

    def failed(self, error: PollError) -> None:
        """Say why, aloud only if that is news."""
        news = self.earlier_error is None or self.earlier_error.reason is not error.reason
        details = {"reason": error.reason, "why": error.sentence, "code": error.code, "request_id": error.request_id}
        known = {name: value for name, value in details.items() if value is not None}
        self._say(logging.WARNING if news else logging.DEBUG, "poll failed", **known)

    def succeeded(self, found: Shown) -> None:
        """Say what has changed: the source, or that there is a report again, or at all."""
        if found.source != self.earlier_source:
            refusal = self.view.history.records[self.view.preferred].error
            why = "it answers again" if refusal is None else refusal.sentence
            log.info("another source is used", extra=fields(tenant=self.view.tenant.name, source=found.source, why=why))
        if self.earlier_error is not None:
            self._say(logging.INFO, "polls succeed again")
        elif self.earlier_state is State.PENDING:
            if self.view.is_extra:
                self._say(logging.INFO, "the extra was read for the first time")
            else:
                self._say(logging.INFO, "first report", users=found.users)

    def _say(self, level: int, message: str, **more: object) -> None:
        log.log(level, message, extra=fields(tenant=self.view.tenant.name, source=self.view.described()[0], **more))


def poll_log(view: View) -> PollLog:
    """Make the log of the poll that begins now."""
    newest = view.history.newest()
    return PollLog(view, view.described()[1].error, newest.source if newest else view.preferred, view.state())
