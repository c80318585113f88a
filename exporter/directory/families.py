"""The families that tell of populations and of the directory itself."""

from __future__ import annotations

from exporter.metrics.family import Family, Kind

POPULATION = ("tenant", "population")

POPULATION_UP = Family(
    "entra_population_up",
    "1 when who belongs to the population was read whole the last time (always, if only facts of the report decide).",
    Kind.GAUGE,
    POPULATION,
)
POPULATION_MEMBERS = Family(
    "entra_population_members",
    "Distinct users whom the directory and the lists put into the population, exclusions taken off, when last read.",
    Kind.GAUGE,
    POPULATION,
)
POPULATION_LAST_SUCCESS = Family(
    "entra_population_last_success_timestamp_seconds",
    "When who belongs to the population was last read whole.",
    Kind.GAUGE,
    POPULATION,
)
DIRECTORY_USERS = Family(
    "entra_directory_users",
    "Enabled users as the directory itself counts them, when last asked; unknown are those of no user type.",
    Kind.GAUGE,
    ("tenant", "user_type"),
)
DIRECTORY_FAMILIES = (POPULATION_UP, POPULATION_MEMBERS, POPULATION_LAST_SUCCESS, DIRECTORY_USERS)
