"""Logins over real sockets: who is let in, who is kept out, and who never waits."""

from __future__ import annotations

import asyncio
import base64
import itertools
import logging
import threading
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest

from exporter.web import basic_auth
from exporter.web.basic_auth import MAX_WAITING, Asker, CrowdedError, Login, Logins, decoy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ALICE = ("alice", "canary-password")
RIGHT = Login(b"alice", ALICE[1].encode())
CANARY = "canary"


def basic(text: str | bytes) -> bytes:
    return b"Basic " + base64.b64encode(text.encode() if isinstance(text, str) else text)


@pytest.fixture
def with_alice(serve: Any, hash_of: Any) -> Callable[..., None]:
    """Run `ask(site)` against a server that knows alice, with a hash of `cost`."""

    def run(ask: Callable[[Any], Awaitable[None]], cost: int = 4) -> None:
        async def main() -> None:
            async with serve(f"basic_auth_users: {{alice: {hash_of(ALICE[1], cost)}}}") as site:
                await ask(site)

        asyncio.run(main())

    return run


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        b"",
        b"Basic",
        b"Basic ",
        b"Basic =",
        b"Basic !!!!",
        b"Basic YWxpY2U",
        b"Basic \xff\xfe",
        b"Bearer YWxpY2U6Y2FuYXJ5LXBhc3N3b3Jk",
        b"YWxpY2U6Y2FuYXJ5LXBhc3N3b3Jk",
        b"Digest username=alice",
        basic("alice"),
        basic(""),
        basic(":"),
        basic("alice:"),
        basic(":canary-password"),
        basic("alice:canary-password "),
        basic("Alice:canary-password"),
        basic("alice\0:canary-password"),
        basic("bob:canary-password"),
        basic("alice:canary-password\0"),
        basic(b"\xff\xfe:\xff"),
        basic("alice:" + "x" * 5000),
        basic("alice:canary-password") + b", " + basic("alice:canary-password"),
        basic("bob:x") + b"\r\nAuthorization: " + basic("alice:canary-password"),
        basic("alice:canary-password") + b"\r\nAuthorization: " + basic("alice:canary-password"),
        b"Basic YWxp!Y2U6Y2FuYXJ5LXBhc3N3b3Jk",
    ],
)
def test_kept_out(with_alice: Any, authorization: bytes | None) -> None:
    """Without a right login, however it is malformed: 401, an invitation to log in, and no metric."""

    async def ask(site: Any) -> None:
        for path in ("/metrics", "/", "/nothing"):
            reply = await site.ask(path, authorization=authorization)
            assert reply.status == 401
            assert reply.headers["WWW-Authenticate"].startswith("Basic ")
            assert "metric" not in reply.body
        assert (await site.ask("/-/reload", method="POST", authorization=authorization)).status == 401

    with_alice(ask)


@pytest.mark.parametrize("scheme", [b"Basic ", b"basic ", b"BASIC   "])
def test_let_in(with_alice: Any, scheme: bytes) -> None:
    """The right login opens every page, however the word Basic is written."""

    async def ask(site: Any) -> None:
        login = scheme + base64.b64encode(":".join(ALICE).encode())
        for path in ("/metrics", "/"):
            assert (await site.ask(path, authorization=login)).status == 200
        assert (await site.ask("/nothing", authorization=login)).status == 404

    with_alice(ask)


def test_health_is_open(with_alice: Any) -> None:
    """Health asks for no login; paths that only look like it do."""

    async def ask(site: Any) -> None:
        assert [(await site.ask(path)).status for path in ("/-/healthy", "/-/ready")] == [200, 200]
        for path in ("/-/healthy/", "//-/healthy", "/-/healthy/../metrics", "/-/healthy%2f..%2f..%2fmetrics"):
            assert (await site.ask(path)).status == 401

    with_alice(ask)


@pytest.mark.parametrize("password", ["with:colon", "пароль", "x" * 72])
def test_unusual_password(serve: Any, hash_of: Any, password: str) -> None:
    """A password may hold colons and any script, and be as long as bcrypt takes it: one byte more is wrong."""

    async def main() -> None:
        async with serve(f"basic_auth_users: {{алиса: {hash_of(password)}}}") as site:
            assert (await site.ask(login=("алиса", password))).status == 200
            assert (await site.ask(login=("алиса", password + "x"))).status == 401
            assert (await site.ask(login=("алиса", password.ljust(72, "x") + "x"))).status == 401

    asyncio.run(main())


def test_parts_are_kept_apart(serve: Any, hash_of: Any) -> None:
    """CVE-2022-46146: a login made up so that its parts read as another's, once joined, opens nothing."""
    hashed = hash_of(ALICE[1])

    async def main() -> None:
        async with serve(f"basic_auth_users: {{alice: {hashed}}}") as site:
            fake = decoy({b"alice": hashed.encode()}).decode()
            for user, password in [
                ("alice" + hashed, "fakepassword"),
                ("alice", fake + "fakepassword"),
                ("alice" + hashed + fake, ""),
                ("alice", hashed),
                ("", "alice" + hashed + ALICE[1]),
            ]:
                for _ in range(2):
                    assert (await site.ask(login=(user, password))).status == 401
            assert (await site.ask(login=ALICE)).status == 200
            for moved in range(1, 5):
                joined = "".join(ALICE)
                assert (await site.ask(login=(joined[:moved], joined[moved:]))).status == 401

    asyncio.run(main())


def test_known_client_never_waits(with_alice: Any) -> None:
    """A client that was let in once is answered while wrong logins of others are still being compared."""

    async def ask(site: Any) -> None:
        assert (await site.ask(login=ALICE)).status == 200
        wrong = [asyncio.create_task(site.ask(login=("alice", f"wrong {n}"))) for n in range(10)]
        await asyncio.wait(wrong, return_when=asyncio.FIRST_COMPLETED)
        assert (await site.ask(login=ALICE)).status == 200
        assert not all(task.done() for task in wrong)
        assert {reply.status for reply in await asyncio.gather(*wrong)} == {401}

    with_alice(ask, cost=9)


def test_flood(with_alice: Any) -> None:
    """Wrong logins by the hundred are refused or put off, and a client that is known is let in between them."""

    async def ask(site: Any) -> None:
        assert (await site.ask(login=ALICE)).status == 200
        for batch in range(3):
            logins = [("alice", f"wrong {batch}.{n}") for n in range(100)]
            wrong = [asyncio.create_task(site.ask(login=login)) for login in logins]
            assert (await site.ask(login=ALICE)).status == 200
            assert {reply.status for reply in await asyncio.gather(*wrong)} <= {401, 503}

    with_alice(ask)


def asker(address: str, *, has_guessed: bool = False, is_there: bool = True) -> Asker:
    return Asker(address, has_guessed, lambda: is_there)


def flood(logins: Logins, users: dict[bytes, bytes], who: Asker, number: int) -> list[asyncio.Task[bool]]:
    """So many wrong logins at once from one address."""
    wrong = (Login(b"alice", f"{who.address} {n}".encode()) for n in range(number))
    return [asyncio.create_task(logins.accept(users, login, who)) for login in wrong]


def test_clients_of_other_addresses_are_served_in_turn(hash_of: Any) -> None:
    """However many of one address wait, one of another is compared after one of theirs, and pushes one of them out."""
    users = {b"alice": hash_of(ALICE[1]).encode()}

    async def main() -> None:
        logins = Logins()
        crowd = flood(logins, users, asker("10.0.0.1"), MAX_WAITING)
        await asyncio.sleep(0)
        with pytest.raises(CrowdedError):
            await logins.accept(users, Login(b"alice", b"one more"), asker("10.0.0.1"))
        assert await logins.accept(users, RIGHT, asker("10.0.0.2"))
        assert sum(task.done() for task in crowd) <= 4
        answers = await asyncio.gather(*crowd, return_exceptions=True)
        assert [type(answer) for answer in answers if answer is not False] == [CrowdedError]
        assert not logins._questions
        assert not logins._line

    asyncio.run(main())


def test_who_has_not_guessed_before_comes_first(hash_of: Any) -> None:
    """Of one address, a new connection goes before those that sent a wrong login; these come up too, now and then."""
    users = {b"alice": hash_of(ALICE[1]).encode()}

    async def main() -> None:
        logins = Logins()
        guessing = flood(logins, users, asker("10.0.0.1", has_guessed=True), MAX_WAITING)
        await asyncio.sleep(0)
        new = flood(logins, users, asker("10.0.0.2"), 30)
        assert await logins.accept(users, RIGHT, asker("10.0.0.1"))
        assert sum(task.done() for task in guessing if not task.done() or task.exception() is None) <= 4
        await asyncio.gather(*new)
        assert 5 <= sum(task.done() and task.exception() is None for task in guessing) <= 15
        await asyncio.gather(*guessing, return_exceptions=True)

    asyncio.run(main())


def test_who_has_left_is_not_compared(hash_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login whose connection has ended costs no comparison; the same login sent by two is compared once."""
    users = {b"alice": hash_of(ALICE[1]).encode()}
    compared = []
    plain = bcrypt.checkpw

    def spy(password: bytes, hashed: bytes) -> bool:
        compared.append(password)
        return plain(password, hashed)

    async def main() -> None:
        logins = Logins()
        asked = [
            logins.accept(users, Login(b"alice", b"left"), asker("10.0.0.1", is_there=False)),
            logins.accept(users, RIGHT, asker("10.0.0.1")),
            logins.accept(users, RIGHT, asker("10.0.0.2")),
        ]
        left, *let_in = await asyncio.gather(*asked, return_exceptions=True)
        assert (isinstance(left, CrowdedError), let_in) == (True, [True, True])

    monkeypatch.setattr(bcrypt, "checkpw", spy)
    asyncio.run(main())
    assert compared == [ALICE[1].encode()]


def test_the_newest_wrong_login_is_remembered(hash_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more wrong logins than are remembered the oldest is forgotten: asked again, the newest costs no comparison."""
    users = {b"alice": hash_of(ALICE[1]).encode()}
    compared: list[bytes] = []

    def spy(password: bytes, _: bytes) -> bool:
        compared.append(password)
        return False

    async def main() -> None:
        logins = Logins()
        for password in (b"oldest", b"middle", b"newest", b"newest", b"middle", b"oldest"):
            assert not await logins.accept(users, Login(b"alice", password), asker("10.0.0.1"))

    monkeypatch.setattr(bcrypt, "checkpw", spy)
    monkeypatch.setattr(basic_auth, "MAX_REMEMBERED", 2)
    asyncio.run(main())
    assert compared == [b"oldest", b"middle", b"newest", b"oldest"]


def test_no_thread_to_be_had_is_no_refusal(with_alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the machine gives no more threads, the answer is 503; when it does again, the right login is let in."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def ask(site: Any) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(threading.Thread, "start", refuse)
            reply = await site.ask(login=ALICE)
        assert (reply.status, reply.headers["Retry-After"]) == (503, "2")
        assert (await site.ask(login=ALICE)).status == 200

    with_alice(ask)


def test_unknown_user_costs_the_same(with_alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown user is compared as well, at the same cost, and stays out whatever the comparison says.

    A spy, because a measured time would say the same on a quiet machine only, and nobody knows a password of the decoy.
    """
    costs = []

    def spy(password: bytes, hashed: bytes) -> bool:
        del password
        costs.append(hashed[:7])
        return True

    async def ask(site: Any) -> None:
        monkeypatch.setattr(bcrypt, "checkpw", spy)
        for _ in range(2):
            assert (await site.ask(login=("alice", "any"))).status == 200
            assert (await site.ask(login=("nobody", "any"))).status == 401

    with_alice(ask, cost=5)
    assert costs == [b"$2b$05$", b"$2b$05$"]


def test_new_password(serve: Any, hash_of: Any) -> None:
    """A changed hash counts at once: the old password, though remembered as right, is refused."""

    async def main() -> None:
        async with serve(f"basic_auth_users: {{alice: {hash_of('old')}, bob: {hash_of('bob')}}}") as site:
            assert (await site.ask(login=("alice", "old"))).status == 200
            assert (await site.ask(login=("alice", "new"))).status == 401
            assert (await site.ask(login=("bob", "bob"))).status == 200
            assert await site.rewrite(f"basic_auth_users: {{alice: {hash_of('new')}}}") == ()
            assert (await site.ask(login=("alice", "old"))).status == 401
            assert (await site.ask(login=("alice", "new"))).status == 200
            assert (await site.ask(login=("bob", "bob"))).status == 401

    asyncio.run(main())


@pytest.mark.parametrize("address", ["the same", "another"])
def test_the_right_login_is_let_in_under_a_flood(with_alice: Any, address: str) -> None:
    """With twenty clients guessing without a pause, the right password gets in after few guesses."""
    source = "127.0.0.1" if address == "the same" else "127.0.0.2"
    answers, begun = list[int](), asyncio.Event()

    async def guess(site: Any, number: int) -> None:
        for attempt in itertools.count():
            answers.append((await site.ask(login=("alice", f"{number} {attempt}"), source=source)).status)
            begun.set()

    async def ask(site: Any) -> None:
        guessing = [asyncio.create_task(guess(site, number)) for number in range(20)]
        await begun.wait()
        for _ in range(3):
            before = len(answers)
            assert (await site.ask(login=ALICE)).status == 200
            assert len(answers) - before < 60
        for task in guessing:
            task.cancel()
        await asyncio.gather(*guessing, return_exceptions=True)
        assert set(answers) == {401}

    with_alice(ask)


def test_silence(with_alice: Any, caplog: pytest.LogCaptureFixture) -> None:
    """No name and no password of a login gets into the log."""
    caplog.set_level(logging.DEBUG)

    async def ask(site: Any) -> None:
        await site.ask(login=ALICE)
        await site.ask(login=("canary-user", "canary-other"))
        await site.ask(authorization=b"Basic canary")

    with_alice(ask)
    assert CANARY not in caplog.text


def test_rate_limit(serve: Any) -> None:
    """The burst is let in, then one request an interval; health is not counted."""

    async def main() -> None:
        async with serve("rate_limit: {interval: 2s, burst: 3}") as site:
            statuses = [(await site.ask()).status for _ in range(4)]
            assert statuses == [200, 200, 200, 429]
            refused = await site.ask()
            assert (refused.status, refused.headers["Retry-After"]) == (429, "2")
            assert (await site.ask("/-/healthy")).status == 200
            site.clock.now = 1.9
            assert (await site.ask()).status == 429
            site.clock.now = 2.0
            assert [(await site.ask()).status for _ in range(2)] == [200, 429]
            site.clock.now = 1000.0
            assert [(await site.ask()).status for _ in range(4)] == [200, 200, 200, 429]
            await site.rewrite("rate_limit: {interval: 0s, burst: 3}")
            assert [(await site.ask()).status for _ in range(5)] == [200] * 5

    asyncio.run(main())


def test_headers(serve: Any, hash_of: Any) -> None:
    """The operator's headers are on every answer, also where a login is missing, and follow the file."""
    users = f"basic_auth_users: {{alice: {hash_of(ALICE[1])}}}"

    async def main() -> None:
        async with serve(users + "\nhttp_server_config: {headers: {X-Frame-Options: deny}}") as site:
            assert (await site.ask(login=ALICE)).headers["X-Frame-Options"] == "deny"
            assert (await site.ask()).headers["X-Frame-Options"] == "deny"
            await site.rewrite(users)
            assert "X-Frame-Options" not in (await site.ask()).headers

    asyncio.run(main())
