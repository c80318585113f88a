"""The users in a generated directory, each made when it is looked at: a directory of 70,000 costs no memory."""

from __future__ import annotations

from collections.abc import ItemsView, Mapping
from typing import TYPE_CHECKING, Any

from exporter.simulator.people import desk_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from exporter.simulator.generated_rows import GeneratedRows

User = dict[str, Any]
E5, F3 = "06ebc4ee-1bb5-47dd-8120-11324bc54e06", "66b55226-6b4f-492c-910c-a3b7a3c9d993"
EXCHANGE_PLAN = "efb87545-963c-4e0d-99df-69c6916d9eb0"
DEPARTMENTS = ("Sales", "R&D", "Finance", "Support", "Women's Health")
COUNTRIES = (("Germany", "DE"), ("France", "FR"), ("United States", "US"), ("Japan", "JP"))
COMPANIES = ("Contoso AG", "Contoso + Partners", "50% Off #1 Ltd")
MANY = 7919  # a prime: neighbours at their desks differ in everything
MAILBOXES, CONTRACTORS, DISABLED = 40, 9, 12  # one in so many


class GeneratedUsers(Mapping[str, User]):
    """The users of a report by id and, for every dozen of them, one whose account is disabled.

    `break_glass` holds the desks of the break-glass accounts.
    """

    def __init__(self, rows: GeneratedRows, break_glass: Container[int]) -> None:
        self._rows = rows
        self._break_glass = break_glass

    def __len__(self) -> int:
        return len(self._rows) + len(self._rows) // DISABLED

    def __iter__(self) -> Iterator[str]:
        for desk, identifier, _ in self._rows.people():
            yield identifier
            if _has_disabled(desk):
                yield _disabled_id(identifier)

    def __getitem__(self, key: str) -> User:
        try:
            desks = {desk_of(key), desk_of(_disabled_id(key))}
        except ValueError:
            raise KeyError(key) from None
        for desk in desks:
            made = dict(self._made(range(desk, desk + 1)))
            if key in made:
                return made[key]
        raise KeyError(key)

    def items(self) -> ItemsView[str, User]:
        """Return the ids with their users, without looking each of them up."""
        return _Items(self)

    def made(self) -> Iterator[tuple[str, User]]:
        """Make each of them once."""
        return self._made(range(len(self._rows)))

    def _made(self, desks: range) -> Iterator[tuple[str, User]]:
        for desk, identifier, is_guest in self._rows.people(desks):
            yield identifier, _user(identifier, desk, guest=is_guest, alarm=desk in self._break_glass)
            if _has_disabled(desk):
                gone = _disabled_id(identifier)
                yield gone, {**_user(gone, desk, guest=False, alarm=False), "accountEnabled": False}


class _Items(ItemsView[str, User]):
    _mapping: GeneratedUsers

    def __iter__(self) -> Iterator[tuple[str, User]]:
        return self._mapping.made()


def _has_disabled(desk: int) -> bool:
    return desk % DISABLED == DISABLED - 1


def _disabled_id(identifier: str) -> str:
    """Return the id of the disabled account that goes with a user; of such an id, the user's."""
    return f"{identifier[:-4]}{0xFFFF - int(identifier[-4:], 16):04x}"


def _user(identifier: str, desk: int, *, guest: bool, alarm: bool) -> User:
    number = desk * MANY
    country, code = COUNTRIES[number // 3 % len(COUNTRIES)]
    user: User = {"id": identifier, "accountEnabled": True, "userType": "Guest" if guest else "Member"}
    if alarm:
        return {**user, "onPremisesExtensionAttributes": {"extensionAttribute1": "break-glass"}}
    if guest:
        return {**user, "country": country}
    if desk % MAILBOXES == 0:
        return {**user, "usageLocation": code}
    return {
        **user,
        "department": DEPARTMENTS[number % len(DEPARTMENTS)],
        "companyName": COMPANIES[number % len(COMPANIES)],
        "country": country,
        "usageLocation": code,
        "employeeType": "Contractor" if number % CONTRACTORS == 0 else "Employee",
        "onPremisesSyncEnabled": True if number % 2 else None,
        "assignedLicenses": [{"skuId": E5 if number % 4 else F3, "disabledPlans": []}],
        "assignedPlans": [
            {"service": "exchange", "servicePlanId": EXCHANGE_PLAN, "capabilityStatus": "Enabled"},
        ],
    }
