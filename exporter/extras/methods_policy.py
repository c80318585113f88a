"""The extra `methods_policy`: which methods a tenant allows, whether a campaign asks people to register one.

Sources: Microsoft Graph documentation, "Get authenticationMethodsPolicy", "authenticationMethodConfiguration" and
"authenticationMethodsRegistrationCampaign". What Graph does not say, or says in another shape, has no series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from exporter.errors import PollError, Reason
from exporter.extras.extra import Reading
from exporter.extras.kept_samples import decode_samples, encode_samples
from exporter.facts import EXTRAS, ExtraName
from exporter.metrics.family import Family, Kind, sample
from exporter.reports.bounds import check_objects
from exporter.reports.words import NEW_WORDS, OTHER, looks_like_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.metrics.family import Sample
    from exporter.reports.report import Graph

NAME: ExtraName = "methods_policy"
RESOURCE = EXTRAS[NAME].resource
#: More than a policy has of methods, targets and their settings together.
MOST_OBJECTS = 2_000
EVERYBODY = "all_users"
ENABLED, DISABLED = "enabled", "disabled"
CAMPAIGN_STATES = ("default", ENABLED, DISABLED)
#: What a campaign can ask for so far.
CAMPAIGN_METHODS = ("microsoftAuthenticator", "fido2")
MIGRATION_STATES = ("preMigration", "migrationInProgress", "migrationComplete")
#: Graph's ids of the methods. That of an external method is a GUID, and counts as `other`.
METHODS = (
    "Email",
    "Fido2",
    "HardwareOath",
    "MicrosoftAuthenticator",
    "QRCodePin",
    "Sms",
    "SoftwareOath",
    "TemporaryAccessPass",
    "VerifiableCredentials",
    "Voice",
    "X509Certificate",
)


def _family(name: str, text: str, label: str) -> Family:
    return Family(name, f"{text}, as of the last complete poll.", Kind.GAUGE, ("tenant", label))


METHOD_ENABLED = _family("entra_method_policy_enabled", "1 when the policy allows the method, to whomever", "method")
METHOD_ALL_USERS = _family(
    "entra_method_policy_all_users", "1 when the policy is about all users for this method, enabled or not", "method"
)
CAMPAIGN_STATE = _family(
    "entra_registration_campaign_state",
    "State of the registration campaign: default (managed by Microsoft), enabled, disabled; exactly one is 1",
    "state",
)
CAMPAIGN_INFO = _family(
    "entra_registration_campaign_info", "The methods that the registration campaign asks people to register", "method"
)
MIGRATION_STATE = _family(
    "entra_policy_migration_state",
    "How far the older policies of MFA and password reset are migrated to this one; exactly one is 1",
    "state",
)
FAMILIES = (METHOD_ENABLED, METHOD_ALL_USERS, CAMPAIGN_STATE, CAMPAIGN_INFO, MIGRATION_STATE)

_decoder = msgspec.json.Decoder(dict[str, Any])


class MethodsPolicy:
    """Reads the one policy of a tenant, whole, in one request."""

    name = NAME
    families = FAMILIES

    async def probe(self, graph: Graph) -> None:
        """Ask as a poll does."""
        await self.collect(graph, None, 0.0)

    async def collect(self, graph: Graph, earlier: Reading | None, now: float) -> Reading:  # noqa: ARG002 - no history
        """Read the policy. Raises PollError where it says nothing of any method."""
        policy = await graph.get(RESOURCE, "", _decode)
        async with graph.work_lock():
            samples = tuple(samples_of(policy))
        if not any(one.family is METHOD_ENABLED for one in samples):
            raise PollError(
                Reason.MALFORMED,
                f"Graph's {RESOURCE.name} says of no method whether it is enabled; "
                "did Microsoft rename its fields? Look for an update",
            )
        return Reading(samples)

    def encode(self, reading: Reading) -> bytes:
        """Write what is shown."""
        return encode_samples(reading.samples)

    def decode(self, line: bytes, now: float) -> Reading:  # noqa: ARG002 - there is no time in it
        """Read what was shown. Raises UnusableLineError."""
        return Reading(decode_samples(line, FAMILIES, largest=1))


def _decode(body: bytes) -> dict[str, Any]:
    check_objects(body, MOST_OBJECTS)
    return _decoder.decode(body)


def samples_of(policy: Mapping[str, Any]) -> Iterator[Sample]:
    """Say what a policy says, one thing independently of the others."""
    yield from _methods(_objects(policy.get("authenticationMethodConfigurations")) or [])
    enforcement = _object(policy.get("registrationEnforcement"))
    campaign = _object(enforcement.get("authenticationMethodsRegistrationCampaign"))
    yield from _states(CAMPAIGN_STATE, CAMPAIGN_STATES, campaign.get("state"))
    targets = _objects(campaign.get("includeTargets")) or []
    words = [one["targetedAuthenticationMethod"] for one in targets if _is_text(one, "targetedAuthenticationMethod")]
    yield from (sample(CAMPAIGN_INFO, 1, method=word) for word in sorted(_labels((), words)))
    yield from _states(MIGRATION_STATE, MIGRATION_STATES, policy.get("policyMigrationState"))


def _methods(configurations: Sequence[Mapping[str, Any]]) -> Iterator[Sample]:
    """Tell of each method. Of methods that share the label `other`, one that is enabled is enough."""
    named = [one for one in configurations if _is_text(one, "id")]
    labels = _labels(METHODS, [one["id"] for one in named])
    enabled: dict[str, bool] = {}
    everybody: dict[str, bool] = {}
    for one in named:
        label = one["id"] if one["id"] in labels else OTHER
        if _is_text(one, "state") and one["state"] in {ENABLED, DISABLED}:
            enabled[label] = enabled.get(label, False) or one["state"] == ENABLED
        reached = _reaches_everybody(one.get("includeTargets"))
        if reached is not None:
            everybody[label] = everybody.get(label, False) or reached
    yield from (sample(METHOD_ENABLED, value, method=label) for label, value in sorted(enabled.items()))
    yield from (sample(METHOD_ALL_USERS, value, method=label) for label, value in sorted(everybody.items()))


def _reaches_everybody(targets: Any) -> bool | None:
    """Tell whether all users are among the targets; None where that cannot be read."""
    found = _objects(targets)
    if found is None:
        return None
    if any(one.get("id") == EVERYBODY for one in found):
        return True
    return False if all(_is_text(one, "id") for one in found) and len(found) == len(targets) else None


def _states(family: Family, known: Iterable[str], state: Any) -> Iterator[Sample]:
    """Tell of a state that looks like one, with 0 for the others that are known."""
    if isinstance(state, str) and looks_like_word(state):
        yield from (sample(family, one == state, state=one) for one in dict.fromkeys([*known, state]))


def _labels(known: Iterable[str], words: Iterable[str]) -> frozenset[str]:
    """Choose the words that keep their name: the known, and the first new ones by name; the rest shares `other`."""
    new = sorted({word for word in words if looks_like_word(word)} - set(known))
    return frozenset((*set(known).intersection(words), *new[:NEW_WORDS]))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Mapping[str, Any]] | None:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else None


def _is_text(value: Mapping[str, Any], key: str) -> bool:
    return isinstance(value.get(key), str)
