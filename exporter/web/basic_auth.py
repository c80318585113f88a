"""Basic authentication against bcrypt hashes, as https://datatracker.ietf.org/doc/html/rfc7617 describes it.

A comparison costs tens of milliseconds on purpose. So it runs in a thread, one at a time; what it said is remembered,
right and wrong apart, so that a client which was let in once never waits for others who guess.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import bcrypt

from exporter.event_loop import in_daemon_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_PASSWORD_BYTES = 72  # bcrypt's own limit; a longer one is wrong, never cut
MAX_REMEMBERED = 10_000
MAX_WAITING = 128


@dataclass(frozen=True, slots=True)
class Login:
    """What a client sent."""

    user: bytes = field(repr=False)
    password: bytes = field(repr=False)


def read_login(headers: Sequence[str]) -> Login | None:
    """Read the values of `Authorization`; None for anything but one well-formed `Basic` login."""
    if len(headers) != 1:
        return None
    scheme, _, encoded = headers[0].partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(" ").encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    user, colon, password = decoded.partition(b":")
    return Login(user, password) if colon else None


class CrowdedError(Exception):
    """As many comparisons are waiting as there may be: nothing is said of this login."""


@dataclass(eq=False, slots=True)
class _Question:
    """A login to be compared, for all who send it. `askers` tell whether their connections are still there."""

    user: bytes
    password: bytes
    hashed: bytes
    is_user: bool
    answer: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    askers: list[Callable[[], bool]] = field(default_factory=list)


class Logins:
    """Says whether a login is right, at a price that a flood of wrong ones cannot raise.

    Comparisons go one at a time. Clients of different addresses are served in turn. Of those of one address the oldest
    and the newest question are taken alternately: the oldest is sure to come up, and the newest is seldom that of a
    flood, whose connections ask again only when they have had an answer.
    """

    def __init__(self) -> None:
        self._pepper = secrets.token_bytes(32)
        self._right: dict[bytes, bytes] = {}  # by user: only real users get in, so it cannot grow
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._questions: dict[bytes, _Question] = {}
        self._line: OrderedDict[str, deque[bytes]] = OrderedDict()
        self._newest = False
        self._worker: asyncio.Task[None] | None = None

    async def accept(
        self, users: Mapping[bytes, bytes], login: Login, client: str, is_there: Callable[[], bool]
    ) -> bool:
        """Compare `login` with `users` (name → bcrypt hash).

        `client` is the address that it came from; `is_there` tells whether it still waits for the answer. Raises
        CrowdedError.
        """
        user, key = self._keys(users, login)
        if hmac.compare_digest(self._right.get(user, b""), key):
            return True
        if len(login.password) > MAX_PASSWORD_BYTES or key in self._wrong:
            return False
        question = self._questions.get(key) or self._enqueue(user, key, users, login, client)
        question.askers.append(is_there)
        return await asyncio.shield(question.answer)

    def _enqueue(self, user: bytes, key: bytes, users: Mapping[bytes, bytes], login: Login, client: str) -> _Question:
        if len(self._questions) >= MAX_WAITING:
            self._make_room(client)
        hashed = users.get(login.user)
        question = _Question(user, login.password, hashed or decoy(users), hashed is not None)
        self._questions[key] = question
        self._line.setdefault(client, deque()).append(key)
        if self._worker is None:
            self._worker = asyncio.create_task(self._compare_all())
        return question

    def _make_room(self, client: str) -> None:
        """Give up a question of the address that has most of them, unless it is that of `client`."""
        crowd = max(self._line, key=lambda one: len(self._line[one]), default=client)
        if len(self._line.get(client, ())) >= len(self._line.get(crowd, ())):
            raise CrowdedError
        self._questions.pop(self._line[crowd].pop()).answer.set_exception(CrowdedError())
        if not self._line[crowd]:
            del self._line[crowd]

    async def _compare_all(self) -> None:
        """Compare until no question is left."""
        while self._line:
            key = self._next()
            question = self._questions[key]
            if any(is_there() for is_there in question.askers):
                await self._compare(key, question)
            else:
                question.answer.set_exception(CrowdedError())  # nobody hears it
            del self._questions[key]
        self._worker = None

    def _next(self) -> bytes:
        client, keys = next(iter(self._line.items()))
        self._newest = not self._newest
        key = keys.pop() if self._newest else keys.popleft()
        del self._line[client]
        if keys:
            self._line[client] = keys  # behind the other addresses
        return key

    async def _compare(self, key: bytes, question: _Question) -> None:
        try:
            matches = await in_daemon_thread(partial(bcrypt.checkpw, question.password, question.hashed))
        except RuntimeError:  # no thread can be had now
            question.answer.set_exception(CrowdedError())
            return
        if question.is_user and matches:
            self._right[question.user] = key
        else:
            self._wrong[key] = None
        if len(self._wrong) > MAX_REMEMBERED:
            self._wrong.popitem(last=False)
        question.answer.set_result(question.is_user and matches)

    def _keys(self, users: Mapping[bytes, bytes], login: Login) -> tuple[bytes, bytes]:
        """Return the key of the user, and the key of user, hash and password.

        Each part is digested before they are joined: joined as they are, the parts of one login can read as the parts
        of another (CVE-2022-46146).
        """
        parts = (login.user, users.get(login.user, b""), login.password)
        user, hashed, password = (hashlib.blake2b(part, key=self._pepper, digest_size=32).digest() for part in parts)
        return user, user + hashed + password


def decoy(users: Mapping[bytes, bytes]) -> bytes:
    """Return a hash to compare an unknown user with: as dear as the dearest real one, and the answer is not asked."""
    cost = max((hashed.split(b"$")[2] for hashed in users.values()), default=b"10")
    return b"$2b$" + cost + b"$" + b"." * 53
