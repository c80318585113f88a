"""A row of the tables: what is refused, and what that means."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.errors import PollError, Reason, Rhythm, usual_rhythm


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A row. Without a `status` or `code` any fits; `plain` fits only the request for a first page without options.

    `sentence` may name {name} and {needs} of a resource of Graph, the {status}, the {code} and the {consent} address.
    """

    status: int | None = None
    code: str = ""
    plain: bool = False
    reason: Reason
    sentence: str
    rhythm: Rhythm | None = None
    source: str

    @property
    def when(self) -> Rhythm:
        """When to try again."""
        return self.rhythm or usual_rhythm(self.reason)

    def error(self, *, code: str | None, retry_after: float | None = None, **known: object) -> PollError:
        """Make the error that this row stands for, its sentence filled with what is `known`."""
        return PollError(
            self.reason,
            self.sentence.format_map({"code": code or "no code", **known}),
            code=code,
            retry_after=retry_after,
            rhythm=self.rhythm,
        )
