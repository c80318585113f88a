"""Configuration files, good and bad: what they become, and every problem's position, sentence and hint."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporter.config.load import load
from exporter.config.settings import ClientSecret, CloudAddresses, ManagedIdentity, Network, Settings, Tenant
from exporter.document.secret import Secret
from exporter.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

A = "aaaaaaaa-0000-4000-8000-000000000001"
B = "00000000-1111-2222-3333-444444444444"
CANARY = "8Q~canary"
COMMON = """\
defaults:
  credential: {kind: managed_identity}
tenants:
"""
TENANT = Tenant(
    name=A,
    tenant_id=A,
    cloud="global",
    sources=("auto",),
    poll_interval=3600.0,
    poll_timeout=2700.0,
    max_staleness=10800.0,
    splits=("user_type", "is_admin"),
    credential=ManagedIdentity(None),
    phone_delivery_end=1801440000.0,
)


def loaded(directory: Path, text: str) -> Settings:
    """Load a file, its secrets beside it."""
    (directory / "config.yml").write_text(textwrap.dedent(text))
    (directory / "secret").write_text(f"{CANARY}\n")
    settings = load(directory / "config.yml", {"SECRET": CANARY})
    assert CANARY not in repr(settings)
    return settings


def problems(directory: Path, text: str) -> list[str]:
    """Load a file that is wrong and return its problems, without the directory's name."""
    with pytest.raises(ConfigError) as caught:
        loaded(directory, text)
    assert CANARY not in str(caught.value)
    return [str(problem).replace(f"{directory}/", "") for problem in caught.value.problems]


def test_a_tenant_needs_no_more_than_its_id_and_a_credential(tmp_path: Path) -> None:
    """Everything else has a default."""
    assert loaded(tmp_path, f"{COMMON}- tenant_id: {A.upper()}\n").tenants == (TENANT,)


@pytest.mark.parametrize(
    ("keys", "tenant"),
    [
        ("name: contoso", replace(TENANT, name="contoso")),
        ("name: no", replace(TENANT, name="no")),
        ("name: 1.10", replace(TENANT, name="1.10")),
        (
            "poll_interval: 1h30m",
            replace(TENANT, poll_interval=5400.0, poll_timeout=4050.0, max_staleness=16200.0),
        ),
        ("poll_interval: 1s", replace(TENANT, poll_interval=1.0, poll_timeout=0.75, max_staleness=3.0)),
        ("poll_timeout: 10m\n  max_staleness: 1d", replace(TENANT, poll_timeout=600.0, max_staleness=86400.0)),
        ("cloud: china", replace(TENANT, cloud="china", phone_delivery_end=None)),
        (
            "cloud: {graph: 'https://Graph.example:8443/', authority: 'https://[::1]:1'}",
            replace(
                TENANT, cloud=CloudAddresses("https://graph.example:8443", "https://[::1]:1"), phone_delivery_end=None
            ),
        ),
        ("sources: auto", TENANT),
        (
            "sources: [usersRegisteredByFeature, userRegistrationDetails]",
            replace(TENANT, sources=("userRegistrationDetails", "usersRegisteredByFeature")),
        ),
        ("splits: []", replace(TENANT, splits=())),
        ("splits: [is_admin, user_type]", TENANT),
        (f"credential: {{kind: managed_identity, client_id: {B}}}", replace(TENANT, credential=ManagedIdentity(B))),
        (
            f"credential: {{kind: client_secret, client_id: {B}, client_secret_file: secret}}",
            replace(TENANT, credential=ClientSecret(B, Secret(CANARY))),
        ),
        (
            f"credential: {{kind: client_secret, client_id: {B}, client_secret_env: SECRET}}",
            replace(TENANT, credential=ClientSecret(B, Secret(CANARY))),
        ),
        (
            f"credential: {{kind: client_secret, client_id: {B}, client_secret: 8Q~canary}}",
            replace(TENANT, credential=ClientSecret(B, Secret(CANARY))),
        ),
    ],
)
def test_what_a_tenant_says_of_itself_wins(tmp_path: Path, keys: str, tenant: Tenant) -> None:
    """Each key of a tenant is taken as it is written, over the default."""
    assert loaded(tmp_path, f"{COMMON}- tenant_id: {A}\n  {keys}\n").tenants == (tenant,)


def test_defaults_hold_for_every_tenant_and_its_own_keys_win(tmp_path: Path) -> None:
    """What is said under defaults holds for all; a tenant's own credential replaces the default one whole."""
    settings = loaded(
        tmp_path,
        f"""\
        defaults:
          cloud: us_gov_l4
          poll_interval: 2h
          poll_timeout: 20m
          splits: [user_type]
          credential: {{kind: client_secret, client_id: {B}, client_secret_file: secret}}
        tenants:
          - {{tenant_id: {A}, cloud: global}}
          - {{tenant_id: {B}, name: b, poll_interval: 30m, credential: {{kind: managed_identity}}}}
        """,
    )
    first = Tenant(
        name=A,
        tenant_id=A,
        cloud="global",
        sources=("auto",),
        poll_interval=7200.0,
        poll_timeout=1200.0,
        max_staleness=21600.0,
        splits=("user_type",),
        credential=ClientSecret(B, Secret(CANARY)),
        phone_delivery_end=1801440000.0,
    )
    second = replace(first, name="b", tenant_id=B, cloud="us_gov_l4", credential=ManagedIdentity(None))
    second = replace(second, phone_delivery_end=None)
    second = replace(second, poll_interval=1800.0, max_staleness=5400.0)
    assert settings.tenants == (first, second)


KEYS_OF_TENANT = (
    "cloud, sources, poll_interval, poll_timeout, max_staleness, splits, credential, populations, population_interval, "
    "target, phone_delivery_ends, extras, reconcile, tenant_id, name or labels"
)
GUID_MEND = (
    "give the Tenant ID from the overview page of the Entra admin center; a domain name is not enough, because every "
    "token is checked against the id"
)
CLIENT_MEND = "give the Application (client) ID from the application's overview page in Entra"
DURATION = "write it as Prometheus does: 30s, 5m, 1h30m, 1d"
ADDRESS = "write https://host or https://host:port, without path or user"
NAME_MEND = "use letters, digits, dots, hyphens and underscores: at most 64, a letter or digit first"

BAD_KEYS = {
    "poll_intervall: 3h": ('4 tenants[0]: unknown key "poll_intervall"', 'did you mean "poll_interval"?'),
    "Poll_Interval: 3h": ('4 tenants[0]: unknown key "Poll_Interval"', 'did you mean "poll_interval"?'),
    "flavour: red": ('4 tenants[0]: unknown key "flavour"', f"it can be {KEYS_OF_TENANT}"),
    "8Q~canary: red": ("4 tenants[0]: unknown key", f"it can be {KEYS_OF_TENANT}"),
    "[a]: red": ("4 tenants[0]: a list as a key", "a key is a single word"),
    "<<: {cloud: china}": (
        "4 tenants[0]: a merge key (<<), which is not supported",
        "write the keys out, or put them under defaults",
    ),
    "name: a\n    name: b": ('5 tenants[0]: the key "name" is given twice', "keep one of them"),
    "name: ": ("4 tenants[0].name: has no value", "write a value, or remove the key"),
    "name: ~": ("4 tenants[0].name: has no value", "write a value, or remove the key"),
    "name: ''": ("4 tenants[0].name: an empty text instead of a tenant's name", NAME_MEND),
    "name: a/b": ('4 tenants[0].name: "a/b" is not a tenant\'s name', NAME_MEND),
    f"name: {'a' * 65}": (f'4 tenants[0].name: "{"a" * 40}…" is not a tenant\'s name', NAME_MEND),
    'name: "a\\n"': (
        "4 tenants[0].name: holds a character that cannot be seen",
        "remove line breaks and control characters",
    ),
    "name: [a]": ("4 tenants[0].name: a list instead of a text", ""),
    "name: {a: b}": ("4 tenants[0].name: a mapping instead of a text", ""),
    "cloud: globl": ('4 tenants[0].cloud: unknown value "globl"', 'did you mean "global"?'),
    "cloud: mars": (
        '4 tenants[0].cloud: unknown value "mars"',
        "it can be bleu, china, delos, global, us_gov_l4, us_gov_l5 or a mapping",
    ),
    "cloud: [global]": (
        "4 tenants[0].cloud: a list instead of bleu, china, delos, global, us_gov_l4, us_gov_l5 or a mapping",
        "",
    ),
    "cloud: {graph: https://a.example}": ('4 tenants[0].cloud: the key "authority" is missing', ADDRESS),
    "cloud: {graph: http://a.example, authority: https://b}": (
        "4 tenants[0].cloud.graph: this is not an https address",
        ADDRESS,
    ),
    "cloud: {graph: https://8Q~canary@a.example, authority: https://b}": (
        "4 tenants[0].cloud.graph: this is not an https address",
        ADDRESS,
    ),
    "cloud: {graph: https://a.example/v1.0, authority: https://b}": (
        "4 tenants[0].cloud.graph: this is not an https address",
        ADDRESS,
    ),
    "cloud: {graph: 'https://a.example:99999', authority: https://b}": (
        "4 tenants[0].cloud.graph: this is an address without a usable host and port",
        ADDRESS,
    ),
    "sources: userRegistrationDetails": (
        '4 tenants[0].sources: unknown value "userRegistrationDetails"',
        "it can be auto or a list",
    ),
    "sources: []": ("4 tenants[0].sources: an empty list", "name at least one"),
    "sources: [userRegistrationDetail]": (
        '4 tenants[0].sources[0]: unknown value "userRegistrationDetail"',
        'did you mean "userRegistrationDetails"?',
    ),
    "splits: [is_admin, is_admin]": ("4 tenants[0].splits: a word is given twice", "keep one"),
    "splits: {}": ("4 tenants[0].splits: a mapping instead of a list", ""),
    "poll_interval: 30": ('4 tenants[0].poll_interval: "30" is not a duration', DURATION),
    "poll_interval: 30 s": ('4 tenants[0].poll_interval: "30 s" is not a duration', DURATION),
    "poll_interval: 500ms": ('4 tenants[0].poll_interval: "500ms" is shorter than 1s', DURATION),
    "poll_interval: 300y": ('4 tenants[0].poll_interval: "300y" is longer than 292 years', DURATION),
    "poll_timeout: 0s": ('4 tenants[0].poll_timeout: "0s" is no time at all', DURATION),
    "poll_timeout: 1h": (
        "4 tenants[0].poll_timeout: 1h is not below poll_interval 1h, the default",
        "choose one below 1h",
    ),
    "max_staleness: 1h": (
        "4 tenants[0].max_staleness: 1h is not above poll_interval 1h, the default",
        "choose one above 1h",
    ),
    "credential: 8Q~canary": ("4 tenants[0].credential: a text instead of a mapping", ""),
    "credential: {client_id: x}": (
        '4 tenants[0].credential: the key "kind" is missing',
        "it can be client_secret, certificate, workload_identity, managed_identity or azure_cli",
    ),
    "credential: {kind: client_secrett}": (
        '4 tenants[0].credential.kind: unknown value "client_secrett"',
        'did you mean "client_secret"?',
    ),
    "credential: {kind: azure_cli, client_id: x}": (
        '4 tenants[0].credential: unknown key "client_id"',
        "it can be kind",
    ),
    "credential: {kind: managed_identity, client_id: 8Q~canary}": (
        "4 tenants[0].credential.client_id: this is not a GUID",
        CLIENT_MEND,
    ),
}


@pytest.mark.parametrize(("keys", "sentence"), BAD_KEYS.items(), ids=[text[:30] for text in BAD_KEYS])
def test_each_mistake_in_a_tenant_has_its_sentence(tmp_path: Path, keys: str, sentence: tuple[str, str]) -> None:
    """One mistake is one problem: its line, its path, what is wrong, and how to repair it."""
    line, _, rest = f"{sentence[0]}; {sentence[1]}".removesuffix("; ").partition(" ")
    (problem,) = problems(tmp_path, f"{COMMON}  - {keys}\n    tenant_id: {A}\n")
    place, _, said = problem.partition(" ")
    assert said == rest
    assert place.split(":")[:2] == ["config.yml", line]


@pytest.mark.parametrize(
    "tenant_id", ["contoso.onmicrosoft.com", "common", f"{A}0", "aaaaaaaa000040008000000000000001"]
)
def test_a_tenant_is_named_by_its_guid_only(tmp_path: Path, tenant_id: str) -> None:
    """A domain name will not do, and the message says why and where to find the id."""
    expected = f"config.yml:4:16 tenants[0].tenant_id: this is not a GUID; {GUID_MEND}"
    assert problems(tmp_path, f"{COMMON}  - tenant_id: {tenant_id}\n") == [expected]


def test_a_tenant_without_id_or_credential_is_told_how_to_get_them(tmp_path: Path) -> None:
    """What is missing is reported where it would belong."""
    assert problems(tmp_path, "tenants:\n  - name: a\n") == [
        f'config.yml:2:5 tenants[0]: the key "tenant_id" is missing; {GUID_MEND}',
        "config.yml:2:5 tenants[0]: there is no credential; add credential here or under defaults",
    ]


def test_a_misspelt_key_is_not_also_missing(tmp_path: Path) -> None:
    """The key that was meant is not reported as missing, nor are its consequences."""
    assert problems(tmp_path, f"tenants:\n  - tenantid: {A}\n    credental: {{kind: azure_cli}}\n") == [
        'config.yml:2:5 tenants[0]: unknown key "tenantid"; did you mean "tenant_id"?',
        'config.yml:3:5 tenants[0]: unknown key "credental"; did you mean "credential"?',
    ]


def test_names_and_ids_are_unique(tmp_path: Path) -> None:
    """The second of two equal names or ids is the problem, and it says where the first stands."""
    second = "tenants[2].tenant_id: this tenant_id is taken"
    text = f"{COMMON}  - {{tenant_id: {A}, name: a}}\n  - {{tenant_id: {B}, name: a}}\n  - {{tenant_id: {A.upper()}}}\n"
    assert problems(tmp_path, text) == [
        "config.yml:5:61 tenants[1].name: this name is taken; the first is at config.yml:4:61 tenants[0].name",
        f"config.yml:6:17 {second}; the first is at config.yml:4:17 tenants[0].tenant_id",
    ]


def test_an_interval_that_the_defaults_do_not_fit_has_its_own_times(tmp_path: Path) -> None:
    """A tenant's own interval against a default timeout or staleness that it does not fit: as if none were set."""
    text = f"""\
        defaults: {{poll_timeout: 45m, max_staleness: 3h, credential: {{kind: azure_cli}}}}
        tenants:
          - {{tenant_id: {A}, poll_interval: 30m}}
          - {{tenant_id: {B}, poll_interval: 6h}}
        """
    short, long = loaded(tmp_path, text).tenants
    assert (short.poll_timeout, short.max_staleness) == (22.5 * 60, 3 * 3600)
    assert (long.poll_timeout, long.max_staleness) == (45 * 60, 18 * 3600)


def test_a_mistake_in_the_defaults_is_said_once(tmp_path: Path) -> None:
    """However many tenants have it from there."""
    tenants = "".join(f"  - {{tenant_id: {A[:-3]}{at}}}\n" for at in range(100, 200))
    text = f"""\
defaults:
  poll_interval: 1h
  poll_timeout: 2h
  splits: [is_admin, is_admin]
  credential: {{kind: client_secret, client_id: {B}}}
tenants:
{tenants}"""
    assert problems(tmp_path, text) == [
        "config.yml:5:15 defaults.credential: there is no secret; add client_secret_file",
        (
            "config.yml:3:17 defaults.poll_timeout: 2h is not below poll_interval 1h at config.yml:2:18 "
            "defaults.poll_interval; choose one below 1h"
        ),
        "config.yml:4:11 defaults.splits: a word is given twice; keep one",
    ]


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    """One run shows them all, from the file's shape to its secrets."""
    text = f"""\
        default: {{}}
        tenants:
          - tenant_id: x
            poll_interval: soon
            credential: {{kind: client_secret, client_id: {B}, client_secret_file: nowhere}}
          - hello
        network: {{proxy: 'socks5://a', ca_file: nowhere.pem}}
        """
    found = "\n".join(problems(tmp_path, text))
    for what in (
        'unknown key "default"; did you mean "defaults"?',
        "tenants[0].tenant_id: this is not a GUID",
        'tenants[0].poll_interval: "soon" is not a duration',
        "tenants[0].credential.client_secret_file: the file does not exist",
        "tenants[1]: a text instead of a mapping",
        "network.proxy: this is not the address of a proxy",
        "network.ca_file: the file does not exist",
    ):
        assert what in found


@pytest.mark.parametrize("text", ["network: {}\n", "tenants: []\n", "defaults: {cloud: china}\n"])
def test_a_file_without_tenants_is_refused(tmp_path: Path, text: str) -> None:
    """There is nothing to do then, and the message says what to add."""
    (problem,) = problems(tmp_path, text)
    assert problem.endswith("there is no tenant; add tenants, or tenant_files that hold them")


@pytest.mark.parametrize("proxy", ["http://proxy:3128", "https://u:8Q~canary@proxy.example:1/", "http://[::1]:3128"])
def test_the_proxy_is_kept_secret_as_a_whole(tmp_path: Path, proxy: str) -> None:
    """It may hold a password, so it is not shown."""
    network = loaded(tmp_path, f"{COMMON}- tenant_id: {A}\nnetwork: {{proxy: '{proxy}'}}\n").network
    assert network == Network(Secret(proxy), None)
    assert "proxy.example" not in repr(network)


@pytest.mark.parametrize("proxy", ["proxy:3128", "http://", "http://a b", "http://u:8Q~canary@h/x", "http://h:0"])
def test_a_proxy_that_is_none_is_refused(tmp_path: Path, proxy: str) -> None:
    """And not shown either."""
    (problem,) = problems(tmp_path, f"{COMMON}- tenant_id: {A}\nnetwork: {{proxy: '{proxy}'}}\n")
    assert problem.startswith("config.yml:5:18 network.proxy: this is ")


@pytest.mark.parametrize(
    ("keys", "warnings"),
    [
        ("poll_interval: 59s", ["5:20 tenants[0].poll_interval: below 1m: Microsoft's reports change every few hours"]),
        ("poll_interval: 60s", []),
        ("poll_interval: 2s\n    cloud: {graph: 'https://g', authority: 'https://a'}", []),
        (
            f"credential: {{kind: client_secret, client_id: {B}, client_secret: 8Q~canary}}",
            ["5:103 tenants[0].credential.client_secret: the secret stands in the file itself"],
        ),
    ],
)
def test_what_is_unwise_is_a_warning(tmp_path: Path, keys: str, warnings: list[str]) -> None:
    """A short interval in Microsoft's clouds and an inline secret are allowed, and said."""
    settings = loaded(tmp_path, f"{COMMON}  - tenant_id: {A}\n    {keys}\n")
    assert CANARY not in str(settings.warnings)
    shown = [each.removeprefix(f"{tmp_path}/config.yml:") for each in settings.warnings]
    assert [each[: len(start)] for each, start in zip(shown, warnings, strict=True)] == warnings
