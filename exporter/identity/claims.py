"""What a token says of itself, read without checking the signature: that is Graph's to do.

Source: Microsoft identity platform documentation, "Access token claims reference". A token that cannot be read is legal
(tokens are opaque to a client), then there is nothing to check. PyJWT, with which the simulator signs, would check more
than the three claims that are wanted here.
"""

from __future__ import annotations

import base64
import binascii

import msgspec


class Claims(msgspec.Struct, frozen=True):
    """The claims that tell which token this is; `roles` are application permissions, `scp` delegated ones."""

    tid: str | None = None
    roles: tuple[str, ...] = ()
    scp: str = ""

    @property
    def permissions(self) -> frozenset[str]:
        """All permissions in the token, application and delegated."""
        return frozenset(self.roles) | frozenset(self.scp.split())


class _OnlyTenant(msgspec.Struct):
    tid: str | None = None


_decoder = msgspec.json.Decoder(Claims)
_lax_decoder = msgspec.json.Decoder(_OnlyTenant)


def read_claims(token: str) -> Claims | None:
    """Read the claims of a JWT, or None when the token is something else.

    A claim of another type than documented hides the permissions, never the tenant.
    """
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, payload, signature
        return None
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        try:
            return _decoder.decode(payload)
        except msgspec.ValidationError:
            return Claims(tid=_lax_decoder.decode(payload).tid)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        return None
