"""Every answer of Entra, over real sockets and through azure-identity: the right reason, and no outage a refusal."""

from __future__ import annotations

import sys
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from exporter.config.settings import ClientSecret
from exporter.document.secret import Secret
from exporter.errors import Reason, Rhythm
from exporter.simulator import Ending, Fault, entra_error
from tests.graph.peers import certificate, peer, proxying, silent
from tests.identity.asking_entra import CLIENT_SECRET, SECRET, TENANT_ID, client_id, simulated_source
from tests.manual_clock import ManualClock, run

if TYPE_CHECKING:
    from pathlib import Path

CONSENT = f"/{TENANT_ID}/adminconsent?client_id={client_id(TENANT_ID)} "
HTML = b"<html><body>canary</body></html>"
OUTAGE = entra_error(90033, "temporarily_unavailable")
GOOD = {"token_type": "Bearer", "expires_in": 3599, "access_token": "canary-token"}


def fault(status: int, body: object, **headers: str) -> Fault:
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    return Fault(endpoint="token", times=None, status=status, body=body, headers=sent)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, entra_error(7000215, "invalid_client"), "the client secret is wrong"),
        (401, entra_error(7000222, "invalid_client"), "the client secret has expired"),
        (400, entra_error(700016, "unauthorized_client"), "is client_id right? if it is, the tenant has not consented"),
        (401, entra_error(7000229, "invalid_client"), "let an administrator open https://"),
        (400, entra_error(90002, "invalid_request"), "look at tenant_id and cloud"),
        (401, entra_error(7000112, "unauthorized_client"), "enable it"),
        (403, entra_error(53003, "access_denied"), "Conditional Access"),
        (401, {"error": "invalid_client", "error_codes": [123, 7000215]}, "the client secret is wrong"),
    ],
)
def test_a_refusal_says_what_to_mend(status: int, body: dict[str, Any], words: str) -> None:
    """A number that Entra documents becomes an advice, with the number to look up."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            source.simulation.faults.add(fault(status, body))
            error = await source.failure()
            assert error.reason is Reason.UNAUTHORIZED
            assert words in error.sentence
            assert error.code == f"AADSTS{body['error_codes'][-1]}"
            assert error.sentence.endswith(f"({error.code})")
            asks_for_consent = error.code in {"AADSTS700016", "AADSTS7000229"}
            assert ("adminconsent" in error.sentence) == (CONSENT in error.sentence) == asks_for_consent
            assert (source.outcomes, source.posts) == (["refused"], 1)

    run(main)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (entra_error(1234567, "invalid_client"), "AADSTS1234567"),
        ({"error": "invalid_client"}, "no AADSTS number"),
        ({"error": "invalid_client", "error_codes": []}, "no AADSTS number"),
    ],
)
def test_a_refusal_that_we_do_not_know(body: object, code: str) -> None:
    """Another number, or none, is still a refusal by Entra."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            source.simulation.faults.add(fault(401, body))
            error = await source.failure()
            assert error.reason is Reason.UNAUTHORIZED
            assert code in error.sentence

    run(main)


@pytest.mark.parametrize(
    ("secret", "tenant_app", "words"),
    [
        ("canary-wrong", True, "7000215"),
        ("canary-old", True, "7000222"),
        (SECRET + "\n", True, "7000215"),
        (SECRET, False, "700016"),
    ],
)
def test_refusals_of_the_simulated_entra_itself(secret: str, tenant_app: bool, words: str) -> None:  # noqa: FBT001
    """A wrong and an expired secret and an unknown application, as Entra itself answers them."""

    async def main(clock: ManualClock) -> None:
        who = ClientSecret(CLIENT_SECRET.client_id if tenant_app else "unknown", Secret(secret))
        async with simulated_source(clock, credential=who) as source:
            next(iter(source.simulation.tenants.values())).apps[0].expired_secret = "canary-old"
            error = await source.failure()
            assert (error.reason, error.code) == (Reason.UNAUTHORIZED, f"AADSTS{words}")

    run(main)


def test_a_tenant_that_does_not_exist() -> None:
    """An unknown tenant id is refused in words that name the setting."""
    nowhere = "aaaaaaaa-0000-4000-8000-00000000dead"

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock, tenant_id=nowhere) as source:
            assert "look at tenant_id and cloud (AADSTS90002)" in (await source.failure()).sentence

    run(main)


@pytest.mark.parametrize("status", [429, 500, 501, 502, 503, 504])
@pytest.mark.parametrize("body", [OUTAGE, entra_error(7000215, "invalid_client"), HTML, b"", b"null"])
def test_an_outage_is_never_unauthorized(status: int, body: object) -> None:
    """429 and 5xx are an outage, whatever the body says: asked once, nothing to repair."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            source.simulation.faults.add(fault(status, body))
            error = await source.failure()
            assert error.reason is Reason.IDENTITY_UNAVAILABLE
            assert f"answered {status} to the request for a token" in error.sentence
            assert error.sentence.startswith(
                "Entra answered" if isinstance(body, dict) else "Entra, or something between"
            )
            assert (source.outcomes, source.posts) == (["unavailable"], 1)
            assert clock.monotonic() < 1

    run(main)


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("error", [entra_error(90033, "temporarily_unavailable"), {"error": "server_error"}])
def test_an_outage_by_its_word_is_never_unauthorized(status: int, error: object) -> None:
    """Where the status says refusal and OAuth's word says outage, the word counts: there is no secret to repair."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            source.simulation.faults.add(fault(status, error))
            assert (await source.failure()).reason is Reason.IDENTITY_UNAVAILABLE
            assert (source.outcomes, source.posts) == (["unavailable"], 1)

    run(main)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("60", 60.0),
        ("3600", 3600.0),
        ("86400000", 86_400_000.0),
        ("Mon, 21 Sep 2020 14:13:20 GMT", 0.0),
        ("abc", None),
        ("-1", None),
        ("99999999999999999999", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_passed_on_and_never_slept_in_here(header: str, seconds: float | None, status: int) -> None:
    """Entra's wait stands in the error at once: it is for the poller to keep, not for azure-identity to sleep."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            source.simulation.faults.add(fault(status, OUTAGE, Retry_After=header))
            error = await source.failure()
            assert (error.reason, error.retry_after) == (Reason.IDENTITY_UNAVAILABLE, seconds)
            assert source.posts == 1
            assert clock.monotonic() < 1

    run(main)


NOT_ENTRAS = [
    {"message": "canary"},
    {"error": "forbidden", "error_description": "canary"},
    {"error": "access_denied", "message": "canary"},
    {"error": {"code": "Forbidden", "message": "canary"}},
    {"error": "invalid_client", "error_codes": "canary"},
    HTML,
    b"",
    b"null",
]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 407, 418])
def test_an_error_that_is_not_entras_own(status: int) -> None:
    """What some box in between says is not Entra refusing the credential, and the sentence says so."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            for body in NOT_ENTRAS:
                source.simulation.faults.clear()
                source.simulation.faults.add(fault(status, body))
                error = await source.failure()
                assert (error.reason, error.rhythm) == (Reason.UNREACHABLE, Rhythm.SOON), body
                reported = "the proxy wants a login" if status == 407 else f"between here and Entra answered {status};"
                assert reported in error.sentence

    run(main)


def test_a_page_that_only_reads_like_entras() -> None:
    """What says that it is HTML is no refusal of Entra's."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            source.simulation.faults.add(fault(401, entra_error(7000215, "invalid_client"), Content_Type="text/html"))
            assert (await source.failure()).reason is Reason.UNREACHABLE

    run(main)


@pytest.mark.parametrize("number", [50166, 501661, 90061, 90033, 90024, 90055, 50196, 700213, 7002138, 70021, 700214])
@pytest.mark.parametrize("status", [400, 401])
def test_a_refusal_that_passes(number: int, status: int) -> None:
    """What Entra cannot do at the moment, or does not know yet, is no refusal of the credential: it is asked again."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            source.simulation.faults.add(fault(status, entra_error(number, "invalid_request")))
            error = await source.failure()
            assert (error.reason, error.rhythm) == (Reason.IDENTITY_UNAVAILABLE, Rhythm.IN_POLL)
            assert error.sentence.endswith(f"(AADSTS{number})")
            assert source.outcomes == ["unavailable"]

    run(main)


@pytest.mark.parametrize("number", [700211, 700212, 7002121, 700016, 7000215])
def test_a_refusal_that_does_not_pass(number: int) -> None:
    """What only a person can put right is asked for at the regular time."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            source.simulation.faults.add(fault(401, entra_error(number, "invalid_client")))
            error = await source.failure()
            assert (error.reason, error.rhythm) == (Reason.UNAUTHORIZED, Rhythm.SLOW)

    run(main)


@pytest.mark.parametrize("numbers", [[50166, 7000215], [7000215, 50166], [123, 7000215, 700016]])
def test_of_several_numbers_the_most_specific_speaks(numbers: list[int]) -> None:
    """What a person can put right is said, in whatever order the numbers come."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            source.simulation.faults.add(fault(401, {"error": "invalid_client", "error_codes": numbers}))
            assert (await source.failure()).code == "AADSTS7000215"

    run(main)


def test_a_number_that_stands_in_the_text_alone() -> None:
    """Some answers have no `error_codes`: the number is read from the beginning of the description."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            text = "AADSTS7000222: canary"
            source.simulation.faults.add(fault(401, {"error": "invalid_client", "error_description": text}))
            assert (await source.failure()).code == "AADSTS7000222"

    run(main)


CUT_OFF = [b"", b'{"token_type":"Bearer","expires_in":3599,"access_token":"canary-tok']


@pytest.mark.parametrize(
    "body",
    [
        HTML,
        b"",
        b"null",
        b"[]",
        b"7",
        b'"canary"',
        b"{}",
        b"\xff\xfe\x00",
        b'{"token_type":"Bearer","expires_in":3599,"access_token":"canary-tok',
        b"[" * 100_000,
        b'{"access_token":' + b"[" * 100_000,
        {"expires_in": 3599},
        {"access_token": "canary-token"},
        {**GOOD, "access_token": None},
        {**GOOD, "access_token": 7},
        {**GOOD, "access_token": ["canary-token"]},
        {**GOOD, "access_token": ""},
        {**GOOD, "access_token": "canary token"},
        {**GOOD, "access_token": "canary\r\nX-Injected: 1"},
        {**GOOD, "access_token": "canary-t\u00f6ken"},
        {**GOOD, "access_token": "canary" * 20_000},
        {**GOOD, "expires_in": 0},
        {**GOOD, "expires_in": -1},
        {**GOOD, "expires_in": "soon"},
        {**GOOD, "expires_in": None},
        {**GOOD, "expires_in": {}},
        {**GOOD, "expires_on": 1},
        b'{"access_token":"canary","expires_in":NaN}',
        b'{"access_token":"canary","expires_in":Infinity}',
        b'{"access_token":"canary","expires_in":1e400}',
        b'{"access_token":"canary","expires_in":-1e30}',
    ],
    ids=lambda body: str(body)[:40],
)
def test_a_success_that_is_none(body: object) -> None:
    """Status 200 with anything but a usable token is malformed; nothing of it is repeated, nothing is kept.

    What is cut off may pass.
    """

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            source.simulation.faults.add(fault(200, body, Content_Type="application/json"))
            error = await source.failure()
            assert (error.reason, source.outcomes) == (Reason.MALFORMED, ["unusable"])
            # Python 3.14 reads such nesting to its end, where it is cut off; older ones stop at a depth.
            deep = isinstance(body, bytes) and b"[[" in body and sys.version_info >= (3, 14)
            assert (error.rhythm is Rhythm.IN_POLL) == (body in CUT_OFF or deep)
            source.simulation.faults.clear()
            assert await source.token() in source.simulation.tokens.issued

    run(main)


def test_a_lifetime_as_text_is_as_good() -> None:
    """Some endpoints write numbers as strings, and a lifetime beyond a day counts as a day."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            source.simulation.faults.add(
                fault(200, {**GOOD, "expires_in": "999999999"}, Content_Type="application/json")
            )
            assert await source.token() == "canary-token"
            await clock.sleep(86_400 - 301)
            await source.token()
            assert source.posts == 1
            await clock.sleep(2)
            await source.token()
            assert source.posts == 2

    run(main)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    """The secret is not sent to where a redirect points."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            source.simulation.faults.add(fault(status, b"", Location=source.simulation.elsewhere_url))
            assert (await source.failure()).reason is Reason.UNREACHABLE
            assert [request.endpoint for request in source.simulation.requests] == ["token"]

    run(main)


@pytest.mark.parametrize("ending", [Ending.RESET, Ending.RESET_MIDWAY, Ending.CUT_LENGTH, Ending.CUT_CHUNK])
def test_a_broken_connection(ending: Ending) -> None:
    """An answer that breaks off is a network that is not there, and not a refusal."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            source.simulation.faults.add(Fault(endpoint="token", times=None, ending=ending))
            error = await source.failure()
            assert (error.reason, source.outcomes) == (Reason.UNREACHABLE, ["unavailable"])
            assert source.posts == 1

    run(main)


def test_a_refused_connection() -> None:
    """Nobody listens at the authority: unreachable."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source, source.simulation.unreachable():
            error = await source.failure()
            assert error.reason is Reason.UNREACHABLE
            refused = "the connection is refused; look at the firewall and at network.proxy"
            assert error.sentence == f"{refused} ({source.simulation.url})"

    run(main)


@pytest.mark.parametrize("ending", [Ending.HANG, Ending.DRIP])
def test_a_silent_and_a_dripping_entra(ending: Ending) -> None:
    """Thirty seconds, then it is a timeout."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            source.simulation.faults.add(Fault(endpoint="token", times=None, ending=ending))
            error = await source.failure()
            assert (error.reason, error.sentence) == (Reason.TIMEOUT, "Entra did not answer within 30 s")
            assert clock.monotonic() == pytest.approx(30)
            assert source.outcomes == ["unavailable"]

    run(main)


def test_an_authority_that_is_not_trusted(tmp_path: Path) -> None:
    """A certificate that nobody vouches for: unreachable, and the secret was not sent."""

    async def main(clock: ManualClock) -> None:
        _, tls = certificate(tmp_path)
        async with (
            peer(silent, tls) as port,
            simulated_source(clock, authority=f"https://127.0.0.1:{port}") as source,
        ):
            assert (await source.failure()).reason is Reason.UNREACHABLE

    run(main)


def test_through_a_proxy() -> None:
    """The request for a token goes through the proxy too, in a tunnel."""

    async def main(clock: ManualClock) -> None:
        async with proxying() as proxy, simulated_source(clock, proxy=proxy.url) as source:
            assert await source.token() in source.simulation.tokens.issued
            assert proxy.connects == [source.simulation.url.removeprefix("https://")]
            assert SECRET not in str(proxy.heads)

    run(main)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n", HTML, b""])
def test_a_proxy_that_does_not_connect(answer: bytes) -> None:
    """A proxy that refuses is a network that is not there."""

    async def main(clock: ManualClock) -> None:
        async with proxying(answer) as proxy, simulated_source(clock, proxy=proxy.url) as source:
            error = await source.failure()
            assert error.reason is Reason.UNREACHABLE
            assert ("the proxy wants a login" if answer.startswith(b"HTTP") else "in between") in error.sentence

    run(main)


def test_an_answer_without_an_end() -> None:
    """A gzip bomb of Entra's is given up at the cap."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b" " * 2**20) for _ in range(100)) + packer.flush()

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            source.simulation.faults.add(fault(200, bomb, Content_Encoding="gzip", Content_Type="application/json"))
            error = await source.failure()
            assert error.reason is Reason.MALFORMED
            assert "larger than 256 KiB" in error.sentence

    run(main)


@pytest.mark.parametrize(
    "name", ["AZURE_AUTHORITY_HOST", "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_REGIONAL_AUTHORITY_NAME"]
)
def test_the_environment_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of azure-identity's own redirects no secret: what is configured counts."""
    monkeypatch.setenv(name, "canary.invalid")

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            token = source.simulation.tokens.issued[await source.token()]
            assert token.client_id == client_id(token.tenant_id)
            assert source.posts == 1

    run(main)
