"""The tokens of the simulation: real-looking JWTs, and the table in which all of them stand."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any

import jwt

LIFETIME_SECONDS = 3599.0


@dataclass(slots=True)
class IssuedToken:
    """One token: whose it is, what it may do (`roles` of an application, `scopes` of a person), until when."""

    text: str = field(repr=False)
    tenant_id: str
    client_id: str
    audience: str
    roles: frozenset[str]
    scopes: frozenset[str]
    expires_at: float
    revoked: bool = False

    @property
    def delegated(self) -> bool:
        """Whether it was issued to a person."""
        return bool(self.scopes)

    def grants(self, permission: str) -> bool:
        """Whether it carries this permission of Graph."""
        return permission in self.roles or permission in self.scopes


class TokenTable:
    """Issues tokens and knows them again. `lifetime` is how long the next ones are good, in seconds."""

    def __init__(self) -> None:
        self.lifetime = LIFETIME_SECONDS
        self.issued: dict[str, IssuedToken] = {}
        self._key = secrets.token_bytes(32)

    def issue(
        self,
        *,
        tenant_id: str,
        client_id: str,
        audience: str,
        now: float,
        roles: frozenset[str] = frozenset(),
        scopes: frozenset[str] = frozenset(),
    ) -> IssuedToken:
        """Make one token. Without admin consent there are no roles, and the claim is left out, as Entra does."""
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant_id}/",
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + self.lifetime),
            "appid": client_id,
            "tid": tenant_id,
            "jti": str(uuid.uuid4()),
            "idtyp": "user" if scopes else "app",
            "ver": "1.0",
        }
        if roles:
            claims["roles"] = sorted(roles)
        if scopes:
            claims["scp"] = " ".join(sorted(scopes))
        text = jwt.encode(claims, self._key, algorithm="HS256")
        token = IssuedToken(text, tenant_id, client_id, audience, roles, scopes, now + self.lifetime)
        self.issued[text] = token
        return token

    def revoke(self, tenant_id: str) -> None:
        """Refuse every token that this tenant has so far."""
        for token in self.issued.values():
            token.revoked = token.revoked or token.tenant_id == tenant_id
