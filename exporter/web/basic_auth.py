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
#: So often a connection that has guessed before comes first.
GUESSERS_TURN = 4


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


@dataclass(frozen=True, slots=True)
class Asker:
    """Who sends a login: the address, whether its connection has sent a wrong one before, whether it is still there."""

    address: str
    has_guessed: bool
    is_there: Callable[[], bool]


@dataclass(eq=False, slots=True)
class _Question:
    """A login to be compared, for all who send it."""

    user: bytes
    password: bytes = field(repr=False)
    hashed: bytes = field(repr=False)
    is_user: bool
    answer: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    askers: list[Asker] = field(default_factory=list)


#: Questions that wait together: whether their connections have guessed before, and an address.
_Group = tuple[bool, str]


class Logins:
    """Says whether a login is right, at a price that a flood of wrong ones cannot raise.

    Comparisons go one at a time. Connections that have sent no wrong login yet come first, but for every fourth time;
    among their like, clients of different addresses are served one after the other.
    """

    def __init__(self) -> None:
        self._pepper = secrets.token_bytes(32)
        self._right: dict[bytes, bytes] = {}  # by user: only real users get in, so it cannot grow
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._questions: dict[bytes, _Question] = {}
        self._line: OrderedDict[_Group, deque[bytes]] = OrderedDict()
        self._compared = 0
        self._worker: asyncio.Task[None] | None = None

    async def accept(self, users: Mapping[bytes, bytes], login: Login, asker: Asker) -> bool:
        """Compare `login` with `users` (name → bcrypt hash). Raises CrowdedError."""
        user, key = self._keys(users, login)
        if hmac.compare_digest(self._right.get(user, b""), key):
            return True
        if len(login.password) > MAX_PASSWORD_BYTES or key in self._wrong:
            return False
        if key not in self._questions:
            hashed = users.get(login.user)
            question = _Question(user, login.password, hashed or decoy(users), hashed is not None)
            self._enqueue(key, question, (asker.has_guessed, asker.address))
        self._questions[key].askers.append(asker)
        return await asyncio.shield(self._questions[key].answer)

    def _enqueue(self, key: bytes, question: _Question, group: _Group) -> None:
        if len(self._questions) >= MAX_WAITING:
            self._make_room(group)
        self._questions[key] = question
        self._line.setdefault(group, deque()).append(key)
        if self._worker is None:
            self._worker = asyncio.create_task(self._compare_all())

    def _make_room(self, group: _Group) -> None:
        """Give up a question of those who have guessed, else of the address with most of them, if `group` is better."""
        worst = max(self._line, key=self._badness, default=group)
        if self._badness(worst) <= self._badness(group):
            raise CrowdedError
        self._questions.pop(self._line[worst].pop()).answer.set_exception(CrowdedError())
        if not self._line[worst]:
            del self._line[worst]

    def _badness(self, group: _Group) -> tuple[bool, int]:
        return group[0], len(self._line.get(group, ()))

    async def _compare_all(self) -> None:
        """Compare until no question is left."""
        try:
            while self._line:
                key = self._next()
                await self._compare(key, self._questions[key])
        finally:
            self._worker = None

    def _next(self) -> bytes:
        self._compared += 1
        wanted = self._compared % GUESSERS_TURN == 0
        group = next((one for one in self._line if one[0] is wanted), next(iter(self._line)))
        keys = self._line.pop(group)
        key = keys.popleft()
        if keys:
            self._line[group] = keys  # behind the other addresses
        return key

    async def _compare(self, key: bytes, question: _Question) -> None:
        try:
            if any(asker.is_there() for asker in question.askers):
                matches = await in_daemon_thread(partial(bcrypt.checkpw, question.password, question.hashed))
                self._learn(key, question, is_right=question.is_user and matches)
        except RuntimeError:  # no thread can be had now
            pass
        finally:
            del self._questions[key]
            if not question.answer.done():
                question.answer.set_exception(CrowdedError())

    def _learn(self, key: bytes, question: _Question, *, is_right: bool) -> None:
        if is_right:
            self._right[question.user] = key
        else:
            self._wrong[key] = None
        if len(self._wrong) > MAX_REMEMBERED:
            self._wrong.popitem(last=False)
        question.answer.set_result(is_right)

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
