"""Why no answer came: the step that failed on the way to Graph or Entra, in our words.

The text of the exception is never used: it may hold anything, a proxy's login as well.
"""

from __future__ import annotations

import errno
import ssl
from http import HTTPStatus

import aiohttp
from yarl import URL

#: OpenSSL's numbers for a certificate that is not believed (X509_V_ERR_… in x509_vfy.h) → what is wrong with it.
CERTIFICATES = {
    9: "the certificate is not valid yet; look at this machine's clock",
    10: "the certificate has expired; look at this machine's clock, and at who is in between",
    62: "the certificate is for another name; look at the address, at DNS, and at who is in between",
    64: "the certificate is for another address; look at the address, and at who is in between",
}
#: The authority is not known: its certificate is missing on the way, or here.
UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
#: OpenSSL's words for an answer that is no TLS at all.
NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG")
NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL})


def why_unreachable(problem: BaseException, address: str) -> str:
    """Name the step that failed on the way to `address`, and one thing to look at.

    `problem` is an error of aiohttp, or any OSError.
    """
    return f"{_step(problem, URL(address).host)} ({address})"


def _step(problem: BaseException, host: str | None) -> str:
    match problem:
        case aiohttp.ClientConnectorCertificateError():
            return _certificate(problem.certificate_error)
        case ssl.SSLCertVerificationError():
            return _certificate(problem)
        case aiohttp.ClientConnectorSSLError():
            return _tls(problem.os_error)
        case ssl.SSLError():
            return _tls(problem)
        case aiohttp.ClientHttpProxyError():
            return _proxy_refusal(problem.status)
        case aiohttp.ClientResponseError():
            return "the answer is not HTTP; is a proxy in between?"
        case aiohttp.ClientConnectorError():
            return _connection(problem, host)
        case _:
            return "the connection broke off; look at the network, and at who is in between"


def _certificate(problem: BaseException) -> str:
    number = getattr(problem, "verify_code", 0)
    if number in UNKNOWN_AUTHORITY:
        return (
            "the certificate is from an authority that is not trusted here; "
            "if a proxy opens TLS, name its authority in network.ca_file"
        )
    return CERTIFICATES.get(
        number,
        f"the certificate breaks a rule (OpenSSL's number {number}); "
        "if it is your company's, name its authority in network.ca_file",
    )


def _proxy_refusal(status: int) -> str:
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return "the proxy wants a login; put it into network.proxy"
    return f"the proxy answered {status} instead of connecting; let this address through there"


def _tls(problem: OSError) -> str:
    if getattr(problem, "reason", None) in NO_TLS:
        return "what answers does not speak TLS; look at the address, and whether a proxy is in between"
    return "TLS cannot be agreed on; is TLS 1.2 or newer let through?"


def _connection(problem: aiohttp.ClientConnectorError, host: str | None) -> str:
    if isinstance(problem, aiohttp.ClientConnectorDNSError):
        if problem.host != host:
            return "the name of the proxy cannot be resolved; look at network.proxy"
        return "the name cannot be resolved; look at the DNS of this machine"
    if isinstance(problem, aiohttp.ClientProxyConnectionError):
        return "the proxy cannot be reached; look at network.proxy"
    if problem.os_error.errno == errno.ECONNREFUSED:
        return "the connection is refused; look at the firewall and at network.proxy"
    if problem.os_error.errno in NO_ROUTE:
        return "there is no route; look at the network of this machine and at network.proxy"
    return "no connection; look at the firewall and at network.proxy"
