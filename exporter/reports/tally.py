"""Counting users by cell: a cell is one combination of the splits."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

from exporter.facts import SPLITS, USER_TYPES
from exporter.metrics.family import Family, Sample, sample
from exporter.reports.methods import (
    DEFAULT_METHODS,
    METHODS,
    NEEDS,
    STRENGTH_OF_METHOD,
    STRENGTHS,
    needs_of_phone,
    strength,
)
from exporter.reports.report import (
    DEFAULT_METHOD_USERS,
    METHOD_USERS,
    PHONE_DEPENDENT_USERS,
    REGISTERED_USERS,
    STRENGTH_USERS,
    USERS,
)
from exporter.reports.rows import STATUSES, flags, is_complete
from exporter.reports.words import UNKNOWN, Cell, WordCounts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.reports.rows import Row

#: What a row says beside its splits and its statuses.
METHODS_SAID, DEFAULT_METHOD_SAID = "methods", "default method"


class Tally:
    """Counts by cell and word. What a row does not say is counted as unknown, never as false.

    `incomplete` counts the users whose rows do not say everything, `said` are the facts that some row said: a tally of
    some of the users shares that of all. `user_types` are those that are counted: they alone have cells.
    """

    def __init__(
        self, splits: tuple[str, ...], user_types: tuple[str, ...] = USER_TYPES, said: set[str] | None = None
    ) -> None:
        self.incomplete = 0
        self.said: set[str] = set() if said is None else said
        self._splits = splits
        self._known = {**SPLITS, "user_type": user_types}
        self._users: Counter[Cell] = Counter()
        self._counts = {
            REGISTERED_USERS: WordCounts(STATUSES),
            METHOD_USERS: WordCounts(STRENGTH_OF_METHOD),
            DEFAULT_METHOD_USERS: WordCounts((*DEFAULT_METHODS, UNKNOWN)),
            PHONE_DEPENDENT_USERS: WordCounts(NEEDS),
            STRENGTH_USERS: WordCounts((*STRENGTHS, UNKNOWN)),
        }

    def add(self, users: int, row: Row) -> None:
        """Count `users` users who are alike. An empty default method is Graph's other way of saying `none`."""
        cell, statuses, methods = self._cell(row), dict(zip(STATUSES, flags(row), strict=True)), row.methods
        default_method = row.user_preferred_method_for_secondary_authentication
        words = {
            REGISTERED_USERS: [status for status, flag in statuses.items() if flag],
            METHOD_USERS: methods or (),
            DEFAULT_METHOD_USERS: [UNKNOWN if default_method is None else default_method or "none"],
            PHONE_DEPENDENT_USERS: needs_of_phone(row.methods_registered, sspr_registered=row.is_sspr_registered),
            STRENGTH_USERS: [strength(row.methods_registered)],
        }
        self._users[cell] += users
        for family, found in words.items():
            self._counts[family].add(cell, found, users)
        facts = {
            **statuses,
            "user_type": row.user_type,
            "is_admin": row.is_admin,
            METHODS_SAID: methods,
            DEFAULT_METHOD_SAID: default_method,
        }
        self.said |= {name for name, value in facts.items() if value is not None}
        self.incomplete += 0 if is_complete(row) else users

    def _cell(self, row: Row) -> Cell:
        values = {
            "user_type": user_type_of(row),
            "is_admin": UNKNOWN if row.is_admin is None else str(row.is_admin).lower(),
        }
        return tuple(values[split] for split in self._splits)

    @property
    def users(self) -> int:
        """All users counted."""
        return self._users.total()

    @property
    def says_nothing(self) -> bool:
        """Whether there is nothing to show but a total."""
        return not self.said & {*STATUSES, METHODS_SAID, DEFAULT_METHOD_SAID, *self._splits}

    def samples(self) -> tuple[Sample, ...]:
        """Every known combination of what was said, 0 included, and whatever else was found."""
        return tuple(self._samples())

    def _samples(self) -> Iterator[Sample]:
        known = list(
            itertools.product(*(self._known[split] if split in self.said else (UNKNOWN,) for split in self._splits))
        )
        cells = known + sorted(self._users.keys() - set(known))
        for cell in cells:
            yield sample(USERS, self._users[cell], **self._labels(cell))
        for family, known_words in self._known_words().items():
            counts = self._counts[family].counted()
            extra = sorted(key for key in counts if key[1] not in known_words)
            for cell in cells:
                for word in (*known_words, *(word for at, word in extra if at == cell)):
                    yield sample(family, counts[cell, word], **self._labels(cell), **{family.labels[-1]: word})

    def _known_words(self) -> dict[Family, tuple[str, ...]]:
        """Give the words that have a series in every cell, be it 0."""
        methods_said = METHODS_SAID in self.said
        needs = NEEDS if "registered" in self.said else ("mfa",)
        return {
            REGISTERED_USERS: tuple(status for status in STATUSES if status in self.said),
            METHOD_USERS: METHODS if methods_said else (),
            DEFAULT_METHOD_USERS: DEFAULT_METHODS if DEFAULT_METHOD_SAID in self.said else (),
            PHONE_DEPENDENT_USERS: needs if methods_said else (),
            STRENGTH_USERS: STRENGTHS if methods_said else (),
        }

    def _labels(self, cell: Cell) -> dict[str, str]:
        return dict(zip(self._splits, cell, strict=True))


def user_type_of(row: Row) -> str:
    """Return the user type of a row, as the label has it."""
    user_type = (row.user_type or "").lower()
    return user_type if user_type in USER_TYPES else UNKNOWN


def series_of(splits: tuple[str, ...], user_types: tuple[str, ...] = USER_TYPES) -> int:
    """Return how many series a report that says everything has, without unknown cells and new words."""
    said = {*STATUSES, METHODS_SAID, DEFAULT_METHOD_SAID, *splits}
    return len(Tally(splits, user_types, said).samples())
