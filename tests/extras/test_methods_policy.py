"""The methods policy: a body of Graph's in, series out; what is not said, or not understood, has no series."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from exporter.errors import PollError, Reason
from exporter.extras.extra import UnusableLineError
from exporter.extras.methods_policy import FAMILIES, MethodsPolicy, samples_of
from exporter.metrics.exposition import render
from tests.manual_clock import run

GUID = "5f1c0c5e-54a1-4000-8000-0d6a0f6b1f2a"
CAMPAIGN = "authenticationMethodsRegistrationCampaign"
MALFORMED: list[Any] = [None, 1, "enabled", [], {}, [[]], True]


def lines(policy: dict[str, Any]) -> list[str]:
    return b"".join(render(samples_of(policy), tenant="contoso").values()).decode().splitlines()


def methods(*configurations: Any) -> dict[str, Any]:
    return {"authenticationMethodConfigurations": list(configurations)}


def campaign(**fields: Any) -> dict[str, Any]:
    return {"registrationEnforcement": {CAMPAIGN: fields}}


def targets(*ids: Any) -> list[dict[str, Any]]:
    return [{"targetType": "group", "id": one} for one in ids]


def test_methods_by_graphs_own_ids() -> None:
    """Each method has its state, and whether all users are a target, in Graph's spelling."""
    assert lines(
        methods(
            {"id": "Sms", "state": "enabled", "includeTargets": targets(GUID, "all_users")},
            {"id": "Voice", "state": "disabled", "includeTargets": targets(GUID)},
            {"id": "Fido2", "state": "enabled", "includeTargets": []},
        )
    ) == [
        'entra_method_policy_enabled{tenant="contoso",method="Fido2"} 1',
        'entra_method_policy_enabled{tenant="contoso",method="Sms"} 1',
        'entra_method_policy_enabled{tenant="contoso",method="Voice"} 0',
        'entra_method_policy_all_users{tenant="contoso",method="Fido2"} 0',
        'entra_method_policy_all_users{tenant="contoso",method="Sms"} 1',
        'entra_method_policy_all_users{tenant="contoso",method="Voice"} 0',
    ]


@pytest.mark.parametrize("value", [*MALFORMED[:2], "on", [], {}, True])
def test_a_state_that_is_none_is_absent_and_never_0(value: Any) -> None:
    """Of a method whose state is missing, mistyped or unknown nobody says whether it is enabled."""
    assert lines(methods({"id": "Sms", "state": value}, {"id": "Voice"})) == []


@pytest.mark.parametrize("value", [None, 1, "all_users", {}, [None], [1], [{}], [{"id": 1}], [{"id": GUID}, {}]])
def test_targets_that_cannot_be_read_are_absent_and_never_0(value: Any) -> None:
    """Whether all users are meant is told only where the whole list was understood."""
    found = lines(methods({"id": "Sms", "state": "enabled", "includeTargets": value}))
    assert found == ['entra_method_policy_enabled{tenant="contoso",method="Sms"} 1']


def test_all_users_are_found_beside_what_cannot_be_read() -> None:
    """A target that names everybody is enough."""
    found = lines(methods({"id": "Sms", "includeTargets": [1, *targets("all_users")]}))
    assert found == ['entra_method_policy_all_users{tenant="contoso",method="Sms"} 1']


def test_no_id_of_an_object_is_shown() -> None:
    """An external method has a GUID for its id: such share the word other, enabled if one of them is."""
    found = lines(methods({"id": GUID, "state": "enabled"}, {"id": GUID.replace("5f", "6e"), "state": "disabled"}))
    assert found == ['entra_method_policy_enabled{tenant="contoso",method="other"} 1']


def test_methods_that_come_later_keep_their_word_up_to_sixteen() -> None:
    """Words that we do not know are passed on, the first sixteen by name; the rest is other."""
    found = lines(methods(*({"id": f"New{number:02}", "state": "disabled"} for number in range(30))))
    assert len(found) == 17
    assert 'entra_method_policy_enabled{tenant="contoso",method="New15"} 0' in found
    assert 'entra_method_policy_enabled{tenant="contoso",method="other"} 0' in found


def test_the_campaign_is_a_state_set_with_what_it_asks_for() -> None:
    """Exactly one state is 1, and each targeted method is named once."""
    asks = [{"targetedAuthenticationMethod": one} for one in ("fido2", "microsoftAuthenticator", "fido2", 7, GUID)]
    assert lines(campaign(state="enabled", includeTargets=asks)) == [
        'entra_registration_campaign_state{tenant="contoso",state="default"} 0',
        'entra_registration_campaign_state{tenant="contoso",state="enabled"} 1',
        'entra_registration_campaign_state{tenant="contoso",state="disabled"} 0',
        'entra_registration_campaign_info{tenant="contoso",method="fido2"} 1',
        'entra_registration_campaign_info{tenant="contoso",method="microsoftAuthenticator"} 1',
    ]


def test_a_state_that_comes_later_is_passed_on() -> None:
    """A word of Graph's that we do not know is the one that is 1."""
    assert lines({"policyMigrationState": "migrationPaused"}) == [
        'entra_policy_migration_state{tenant="contoso",state="preMigration"} 0',
        'entra_policy_migration_state{tenant="contoso",state="migrationInProgress"} 0',
        'entra_policy_migration_state{tenant="contoso",state="migrationComplete"} 0',
        'entra_policy_migration_state{tenant="contoso",state="migrationPaused"} 1',
    ]


@pytest.mark.parametrize("value", [None, 1, "", "not a word", "a" * 65, [], {}, True])
def test_a_state_set_without_a_state_is_absent(value: Any) -> None:
    """Null, a number or a sentence is no state: then there is no series, and nothing is 0."""
    assert lines({"policyMigrationState": value} | campaign(state=value, includeTargets=value)) == []


@pytest.mark.parametrize("value", MALFORMED)
def test_one_part_that_is_mistyped_costs_that_part(value: Any) -> None:
    """Whatever stands where the methods, the enforcement or the campaign should: the migration is still told."""
    policy = {"authenticationMethodConfigurations": value, "policyMigrationState": "preMigration"}
    assert len(lines(policy | {"registrationEnforcement": value})) == 3
    assert len(lines(policy | {"registrationEnforcement": {CAMPAIGN: value}})) == 3


class Answering:
    """A Graph whose one answer is `body`."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def get(self, _resource: object, _query: str, decode: Any) -> Any:
        return decode(self._body)

    def work_lock(self) -> Any:
        import contextlib  # noqa: PLC0415 - one line beside its use

        return contextlib.nullcontext()


def test_a_policy_that_says_nothing_of_any_method_is_malformed() -> None:
    """It is an error with a sentence, not an empty success."""
    body = msgspec.json.encode(campaign(state="enabled") | methods({"id": "Sms", "stateNew": "enabled"}))

    async def main(_: object) -> None:
        with pytest.raises(PollError, match="says of no method whether it is enabled") as caught:
            await MethodsPolicy().collect(Answering(body), None, 0)  # type: ignore[arg-type]
        assert caught.value.reason is Reason.MALFORMED

    run(main)


def test_what_is_kept_is_what_was_shown() -> None:
    """A reading is written and read back; nothing but words and 0 or 1 is in it."""
    extra = MethodsPolicy()

    async def main(_: object) -> None:
        body = methods({"id": "Sms", "state": "enabled", "includeTargets": targets(GUID)}) | campaign(state="default")
        reading = await extra.collect(Answering(msgspec.json.encode(body)), None, 0)  # type: ignore[arg-type]
        line = extra.encode(reading)
        assert GUID not in line.decode()
        assert extra.decode(line, 0) == reading

    run(main)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"{}",
        b"[[",
        b'[["entra_method_policy_enabled",{"method":"Sms"},2]]',
        b'[["entra_method_policy_enabled",{"method":"Sms"},-1]]',
        b'[["entra_method_policy_enabled",{"method":"Sms"},1.5]]',
        b'[["entra_method_policy_enabled",{"method":"not a word"},1]]',
        b'[["entra_method_policy_enabled",{"state":"Sms"},1]]',
        b'[["entra_method_policy_enabled",{},1]]',
        b'[["entra_users",{},1]]',
        b'[["entra_method_policy_enabled",{"method":"Sms"},1],["entra_method_policy_enabled",{"method":"Sms"},1]]',
    ],
)
def test_what_cannot_have_been_kept_is_refused(line: bytes) -> None:
    """A kept line is read as strictly as an answer of Graph."""
    with pytest.raises(UnusableLineError):
        MethodsPolicy().decode(line, 0)


def test_families_have_the_labels_of_the_contract() -> None:
    """Tenant and method, or tenant and state."""
    assert {family.name: family.labels[1:] for family in FAMILIES} == {
        "entra_method_policy_enabled": ("method",),
        "entra_method_policy_all_users": ("method",),
        "entra_registration_campaign_state": ("state",),
        "entra_registration_campaign_info": ("method",),
        "entra_policy_migration_state": ("state",),
    }
