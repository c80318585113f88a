"""Every source by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from exporter import facts
from exporter.reports.credential_user_registration_count import CredentialUserRegistrationCount
from exporter.reports.user_registration_details import UserRegistrationDetails
from exporter.reports.users_registered import UsersRegistered

if TYPE_CHECKING:
    from exporter.facts import SourceName
    from exporter.reports.report import Source


def _source(name: SourceName) -> Source:
    """Make the source of this name."""
    match name:
        case "userRegistrationDetails":
            return UserRegistrationDetails()
        case "credentialUserRegistrationCount":
            return CredentialUserRegistrationCount()
        case "usersRegisteredByFeature":
            return UsersRegistered()
        case _:
            assert_never(name)


SOURCES: dict[str, Source] = {name: _source(name) for name in facts.SOURCES}
DETAILS, COUNT = SOURCES["userRegistrationDetails"], SOURCES["credentialUserRegistrationCount"]
