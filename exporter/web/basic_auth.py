"""Basic authentication against bcrypt hashes, as https://datatracker.ietf.org/doc/html/rfc7617 describes it.

A comparison costs tens of milliseconds on purpose. So it runs in a thread, one at a time; what it said is remembered,
right and wrong apart, so that a client which was let in once never waits behind others who guess.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import bcrypt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_PASSWORD_BYTES = 72  # bcrypt's own limit; a longer one is wrong, never cut
MAX_REMEMBERED = 10_000
MAX_WAITING = 64
MAX_WAITING_FROM_ONE_CLIENT = 16


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


class Logins:
    """Says whether a login is right, at a price that a flood of wrong ones cannot raise."""

    def __init__(self) -> None:
        self._pepper = secrets.token_bytes(32)
        self._right: dict[bytes, bytes] = {}  # by user: only real users get in, so it cannot grow
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._waiting: Counter[str] = Counter()
        self._one_at_a_time = asyncio.Lock()

    async def accept(self, users: Mapping[bytes, bytes], login: Login, client: str) -> bool:
        """Compare `login` with `users` (name → bcrypt hash). `client` is the address that it came from.

        False also when too many comparisons are waiting already: nobody is let in unseen.
        """
        user, key = self._keys(users, login)
        if hmac.compare_digest(self._right.get(user, b""), key):
            return True
        if len(login.password) > MAX_PASSWORD_BYTES or key in self._wrong or self._is_crowded(client):
            return False
        self._waiting[client] += 1
        try:
            async with self._one_at_a_time:
                return await self._compare(users, login)
        finally:
            self._waiting[client] -= 1
            self._waiting += Counter()  # drops the zeros

    async def _compare(self, users: Mapping[bytes, bytes], login: Login) -> bool:
        user, key = self._keys(users, login)
        if key in self._wrong or self._right.get(user) == key:  # learnt while this one was waiting
            return key not in self._wrong
        hashed = users.get(login.user)
        matches = await asyncio.to_thread(bcrypt.checkpw, login.password, hashed or decoy(users))
        if hashed is not None and matches:
            self._right[user] = key
            return True
        self._wrong[key] = None
        if len(self._wrong) > MAX_REMEMBERED:
            self._wrong.popitem(last=False)
        return False

    def _is_crowded(self, client: str) -> bool:
        return self._waiting[client] >= MAX_WAITING_FROM_ONE_CLIENT or self._waiting.total() >= MAX_WAITING

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
