"""Extras: what is read beside the reports fails alone, whatever it is answered with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.errors import Reason
from exporter.simulator import Ending, graph_error
from tests.extras.policies import POLICY
from tests.faults.battery import Case
from tests.faults.scene import LEAK, LEAKY_SENTENCE, Scene

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

METHODS_POLICY: dict[str, Any] = {"extras": ("methods_policy",)}


def policy(**fault: Any) -> Callable[[Scene], Awaitable[None]]:
    """Let this become of every answer about the policy."""

    async def inflict(scene: Scene) -> None:
        scene.fault(POLICY, **fault)

    return inflict


async def without_permission(scene: Scene) -> None:
    scene.change(consented={})


def case(name: str, stimulus: str, inflict: Callable[[Scene], Awaitable[None]], reason: Reason | None) -> Case:
    """A case in which the report is complete, and the extra fails or does not."""
    return Case(f"policy-{name}", stimulus, inflict, extra_reason=reason, requests=30, setting=METHODS_POLICY)


def renamed(body: dict[str, Any]) -> dict[str, Any]:
    return {("methods" if key == "authenticationMethodConfigurations" else key): one for key, one in body.items()}


def with_names(body: dict[str, Any]) -> dict[str, Any]:
    """Put names and ids wherever a policy has a text."""
    methods = [{"id": f"{LEAK}@contoso.example", "state": LEAK, "includeTargets": [{"id": LEAK}]}]
    campaign = {"state": LEAK, "includeTargets": [{"targetedAuthenticationMethod": f"{LEAK} Smith"}]}
    return body | {
        "authenticationMethodConfigurations": [*body["authenticationMethodConfigurations"], *methods],
        "registrationEnforcement": {"authenticationMethodsRegistrationCampaign": campaign},
        "policyMigrationState": LEAK,
    }


EXTRAS = [
    case("withdrawn", "the permission for the policy is withdrawn", without_permission, Reason.FORBIDDEN),
    case(
        "denied",
        "403 `accessDenied` for the policy",
        policy(status=403, body=graph_error("accessDenied", LEAKY_SENTENCE)),
        Reason.FORBIDDEN,
    ),
    case("404", "404 for the policy", policy(status=404, body=graph_error("x", LEAKY_SENTENCE)), Reason.RETIRED),
    case(
        "429",
        "429 for the policy, without an end",
        policy(status=429, body=graph_error("TooManyRequests", LEAKY_SENTENCE), headers={"Retry-After": "30"}),
        Reason.THROTTLED,
    ),
    case("503", "503 for the policy, without an end", policy(status=503, body=graph_error("x")), Reason.GRAPH_ERROR),
    case("silent", "no answer for the policy", policy(ending=Ending.HANG), Reason.TIMEOUT),
    case("reset", "each answer about the policy breaks off", policy(ending=Ending.RESET_MIDWAY), Reason.UNREACHABLE),
    case("list", "a list in place of the policy", policy(status=200, body=[{"id": LEAK}]), Reason.MALFORMED),
    case("html", "a login page in place of the policy", policy(status=200, body=b"<html>"), Reason.MALFORMED),
    case("renamed", "the policy without the property of its methods", policy(mutate=renamed), Reason.MALFORMED),
    case("names", "names and addresses in place of ids and states", policy(mutate=with_names), None),
    case(
        "null",
        "every property of the policy but the methods is null",
        policy(mutate=lambda body: {key: one if key.startswith("auth") else None for key, one in body.items()}),
        None,
    ),
    case(
        "crowded",
        "a policy of 5,000 methods",
        policy(mutate=lambda body: body | {"authenticationMethodConfigurations": [{"id": "Sms"}] * 5000}),
        Reason.MALFORMED,
    ),
]
