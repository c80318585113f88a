"""Entra's refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.errors import Reason, Rhythm
from exporter.refusals.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

ENTRA_CODES = "https://learn.microsoft.com/entra/identity-platform/reference-error-codes"
OAUTH = "https://www.rfc-editor.org/rfc/rfc6749#section-5.2"
CONSENT = "https://learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent"
FEDERATION = "https://azure.github.io/azure-workload-identity/docs/troubleshooting.html"
AADSTS = "AADSTS"


def _passing(number: int, sentence: str, source: str = ENTRA_CODES) -> Refusal:
    return Refusal(
        code=f"{AADSTS}{number}",
        reason=Reason.IDENTITY_UNAVAILABLE,
        sentence=sentence + " ({code})",
        source=source,
    )


def _refused(number: int, sentence: str, source: str = ENTRA_CODES) -> Refusal:
    return Refusal(code=f"{AADSTS}{number}", reason=Reason.UNAUTHORIZED, sentence=sentence + " ({code})", source=source)


_NO_CONSENT = "the tenant has not consented to the application; let an administrator open {consent}"
_BUSY = "Entra is not available at the moment; wait"
_NO_ISSUER = "Entra cannot reach the issuer of the federated token; wait, or look whether the issuer is public"
_JUST_MADE = (
    "no federated credential of the application fits the token; "
    "one that was made just now takes some minutes, else compare issuer, subject and audience"
)

#: Entra's refusals, by the number in `error_codes`.
ENTRA = (
    _refused(7000229, _NO_CONSENT),
    _refused(7000215, "the client secret is wrong; give its value, not its id"),
    _refused(7000222, "the client secret has expired; make a new one in the app registration"),
    _refused(7000112, "the application is disabled in this tenant; let an administrator enable it"),
    _refused(700027, "the certificate is not registered with the application, or its key is another; upload it there"),
    _refused(700024, "the assertion is outside its time; look at this machine's clock"),
    _refused(700211, "no federated credential of the application has the token's issuer; correct it there"),
    _refused(700212, "no federated credential of the application has the token's audience; correct it there"),
    _refused(700016, "is client_id right? if it is, " + _NO_CONSENT),
    _refused(90099, _NO_CONSENT),
    _refused(90094, _NO_CONSENT),
    _refused(65001, _NO_CONSENT, CONSENT),
    _refused(500011, "Entra does not know this Graph in the tenant; look at cloud"),
    _refused(90038, "the tenant is in another cloud; look at cloud"),
    _refused(90002, "there is no such tenant in this cloud; look at tenant_id and cloud"),
    _refused(50034, "the account does not exist in this tenant; look at tenant_id"),
    _refused(
        53003, "a Conditional Access policy blocks the application; exclude this workload identity or its address"
    ),
    _passing(700213, _JUST_MADE, FEDERATION),
    _passing(70021, _JUST_MADE, FEDERATION),
    _passing(50166, _NO_ISSUER, FEDERATION),
    _passing(90061, _NO_ISSUER, FEDERATION),
    _passing(50196, "Entra was asked too often with the same application; wait, or see who else asks"),
    _passing(90055, "Entra throttles the tenant; wait"),
    *(_passing(number, _BUSY) for number in (90006, 90012, 90024, 90033, 90090, 90091)),
)
#: OAuth's words for an outage, with which Entra may answer 400: nobody has refused anything.
OUTAGE_WORDS = frozenset({"temporarily_unavailable", "server_error"})
#: OAuth's words for a refusal.
OAUTH_WORDS = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "invalid_scope", "unauthorized_client"}
    | {"unsupported_grant_type"}
)
ENTRA_OUTAGE = Refusal(reason=Reason.IDENTITY_UNAVAILABLE, sentence=_BUSY, source=OAUTH)
ENTRA_UNKNOWN = Refusal(
    reason=Reason.UNAUTHORIZED,
    sentence="Entra refuses the credential ({code}); look the number up at https://login.microsoftonline.com/error",
    source=ENTRA_CODES,
)
NO_NUMBER = "no AADSTS number"


def entra_refusal(word: str, numbers: Sequence[int]) -> tuple[Refusal, str]:
    """Find what Entra's refusal means, and its code: OAuth's `word` and the numbers of `error_codes`.

    Some numbers have a digit more for a special case of the same: 7002138 is a kind of 700213.
    """
    outage = word in OUTAGE_WORDS
    for row in ENTRA:
        for number in numbers:
            if row.code in {f"{AADSTS}{number}", f"{AADSTS}{number // 10}"}:
                speaks = ENTRA_OUTAGE if outage and row.when is Rhythm.SLOW else row
                return speaks, f"{AADSTS}{number}"
    code = f"{AADSTS}{numbers[0]}" if numbers else NO_NUMBER
    return (ENTRA_OUTAGE if outage else ENTRA_UNKNOWN), code
