"""Recorded answers → a value, or a reason and a sentence. No I/O."""

from __future__ import annotations

import gzip
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import PollError, Reason
from exporter.graph.protocol import Answer, Collection, check_next_link, decipher
from tests.graph.asking import DETAILS, RESOURCE, decode

NOW = 1_790_000_000.0
ORIGIN = "https://graph.microsoft.com"
HERE = ORIGIN + RESOURCE.path
REQUEST_ID = "dddddddd-0000-4000-8000-000000000001"
CANARY = "canary-of-a-foreign-text"


def error_body(code: object, message: str = CANARY) -> bytes:
    """Graph's documented shape, as recorded (with the texts that change)."""
    inner = {"date": "2026-08-03T09:12:44", "request-id": REQUEST_ID, "client-request-id": REQUEST_ID}
    return msgspec.json.encode({"error": {"code": code, "message": message, "innerError": inner}})


def failure(status: int, body: bytes = b"", **headers: str) -> PollError:
    sent = {"request-id": REQUEST_ID, **{name.replace("_", "-"): text for name, text in headers.items()}}
    with pytest.raises(PollError) as caught:
        decipher(Answer(status, sent, body), decode, RESOURCE, NOW)
    assert CANARY not in f"{caught.value!s}{caught.value!r}{vars(caught.value)}"
    assert caught.value.__cause__ is None
    return caught.value


def test_a_page_with_and_without_a_next_link() -> None:
    """A page is its rows and the address of the next one, unknown properties aside."""
    link = f"{HERE}?$skiptoken=71af_1000"
    body = {"@odata.context": "https://x/$metadata", "@odata.nextLink": link, "value": [{"id": "1"}], "new": [1]}
    page = decipher(Answer(200, {}, msgspec.json.encode(body)), decode, RESOURCE, NOW)
    assert (page.rows, page.next_link) == ([{"id": "1"}], link)
    for last in (b'{"value":[]}', b'{"value":[],"@odata.nextLink":null}', b'\n {"value" : [ ]}\n'):
        assert decipher(Answer(200, {}, last), decode, RESOURCE, NOW).next_link is None


@pytest.mark.parametrize(
    ("status", "code", "reason", "words"),
    [
        (401, "InvalidAuthenticationToken", Reason.UNAUTHORIZED, "refuses the token"),
        (403, "Authentication_MSGraphPermissionMissing", Reason.FORBIDDEN, "AuditLog.Read.All is missing"),
        (403, "Authentication_ApplicationHasNoReadAuditLogDataAccess", Reason.FORBIDDEN, "give admin consent"),
        (403, "Authorization_RequestDenied", Reason.FORBIDDEN, "AuditLog.Read.All"),
        (403, "Authentication_RequestFromUnsupportedUserRole", Reason.FORBIDDEN, "AuditLog.Read.All"),
        (403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", Reason.UNLICENSED, "P1 or P2"),
        (404, "ResourceNotFound", Reason.RETIRED, "choose another source"),
        (410, "Gone", Reason.RETIRED, "retired"),
        (407, None, Reason.UNREACHABLE, "network.proxy"),
        (408, "RequestTimeout", Reason.TIMEOUT, "gave up waiting"),
        (429, "TooManyRequests", Reason.THROTTLED, "throttles"),
        (500, "generalException", Reason.GRAPH_ERROR, "status 500"),
        (502, "UnknownError", Reason.GRAPH_ERROR, "status 502"),
        (503, "serviceNotAvailable", Reason.GRAPH_ERROR, "status 503"),
        (504, "UnknownError", Reason.GRAPH_ERROR, "status 504"),
        (501, "notSupported", Reason.GRAPH_ERROR, "status 501"),
        (400, "Directory_ExpiredPageToken", Reason.MALFORMED, "400"),
        (204, None, Reason.MALFORMED, "204"),
        (206, None, Reason.MALFORMED, "206"),
        (302, None, Reason.MALFORMED, "302"),
        (304, None, Reason.MALFORMED, "304"),
        (418, None, Reason.MALFORMED, "418"),
    ],
)
def test_statuses_and_codes(status: int, code: str | None, reason: Reason, words: str) -> None:
    """Each documented status and code has its reason, a sentence that says what to do, and Graph's request-id."""
    error = failure(status, error_body(code) if code else b"")
    assert (error.reason, error.status, error.code, error.request_id) == (reason, status, code, REQUEST_ID)
    assert words in error.sentence
    assert str(status) in error.sentence or DETAILS in error.sentence or status in {401, 407}
    assert "{" not in error.sentence


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><h1>canary-of-a-foreign-text</h1></html>",
        b"null",
        b"[]",
        b'"text"',
        b'{"error":null}',
        b'{"error":"canary-of-a-foreign-text"}',
        b'{"error":{"code":null}}',
        b'{"error":{"code":{"code":"x"}}}',
        b'{"error":{"code":12}}',
        b'{"error":{"code":"Auth',
        b"[" * 100_000,
        b"\xff\xfe\x00",
        error_body("canary-of-a-foreign-text\r\nlevel=info"),
        error_body("A" * 101),
        error_body("caf\u00e9"),
        error_body(""),
    ],
)
def test_the_status_alone_decides_where_the_body_is_broken(status: int, body: bytes) -> None:
    """A body of any other shape changes nothing of what the status says, and what it says is not passed on."""
    broken, whole = failure(status, body), failure(status, error_body("SomeCode"))
    assert (broken.reason, broken.sentence, broken.code) == (whole.reason, whole.sentence, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"true",
        b'{"value":null}',
        b'{"value":{}}',
        b'{"value":"canary-of-a-foreign-text"}',
        b'{"Value":[]}',
        b'{"value":[],"@odata.nextLink":7}',
        b'{"value":[],"@odata.nextLink":["https://x"]}',
        b'{"value":[{"id":NaN}]}',
        b'{"value":[{"id":Infinity}]}',
        b'{"value":[{"id":"\xff"}]}',
        b'{"value":[{"id":"1"}',
        b'{"value":[]}{"value":[]}',
        b'{"value":' + b"[" * 100_000,
        b'{"value":[' + b'{"a":' * 100_000,
        b"<!DOCTYPE html><title>canary-of-a-foreign-text</title>",
        b"\x00" * 10,
        gzip.compress(b'{"value":[]}', mtime=0),
        '{"value":[]}'.encode("utf-16"),
    ],
)
def test_a_body_that_is_not_the_documented_shape(body: bytes) -> None:
    """Status 200 with anything but the documented shape is malformed, and nothing of the text is repeated."""
    error = failure(200, body)
    assert (error.reason, error.status, error.request_id) == (Reason.MALFORMED, 200, REQUEST_ID)
    assert "not the documented shape" in error.sentence


@given(st.binary(max_size=200), st.integers(100, 599))
def test_any_bytes_are_a_page_or_an_error_of_ours(body: bytes, status: int) -> None:
    """Whatever arrives, nothing but PollError is raised."""
    with suppress(PollError):
        decipher(Answer(status, {}, body), msgspec.json.Decoder(Collection[Any]).decode, RESOURCE, NOW)


@pytest.mark.parametrize("text", ["", "a b", "x" * 65, "canary\r\nlevel=info", "<b>", "caf\u00e9", 'a"b'])
def test_a_request_id_that_is_none_is_dropped(text: str) -> None:
    """Only what looks like a request-id may reach the log."""
    assert failure(500, request_id=text).request_id is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("Mon, 21 Sep 2026 14:14:20 GMT", 60.0), ("abc", None), ("-5", None), ("", None)],
)
def test_retry_after_is_passed_on(header: str, seconds: float | None) -> None:
    """The wait that Graph asks for stands in the error, in seconds from now."""
    for status in (429, 503):
        assert failure(status, error_body("x"), Retry_After=header).retry_after == seconds


@pytest.mark.parametrize("query", ["?$skiptoken=ab_1000", "?$select=id&$top=999&$skiptoken=ab%20c_1", "", "?a@b"])
@pytest.mark.parametrize("origin", [ORIGIN, "https://GRAPH.microsoft.com", ORIGIN + ":443"])
def test_a_next_link_at_home_is_followed_as_it_is(query: str, origin: str) -> None:
    """The same origin and the same path, with any query: not a byte of the link is changed."""
    link = origin + RESOURCE.path + query
    assert check_next_link(link, ORIGIN, RESOURCE) == link


@pytest.mark.parametrize(
    "link",
    [
        "",
        "?$skiptoken=ab_1000",
        f"{RESOURCE.path}?$skiptoken=ab_1000",
        f"//graph.microsoft.com{RESOURCE.path}?x",
        f"http://graph.microsoft.com{RESOURCE.path}?x",
        f"ftp://graph.microsoft.com{RESOURCE.path}?x",
        f"https://graph.microsoft.com.evil.example{RESOURCE.path}",
        f"https://evil.example{RESOURCE.path}",
        f"https://graph.microsoft.us{RESOURCE.path}",
        f"https://graph.microsoft.com:8443{RESOURCE.path}",
        f"https://graph.microsoft.com:0{RESOURCE.path}",
        f"https://graph.microsoft.com:banana{RESOURCE.path}",
        f"https://graph.microsoft.com:99999{RESOURCE.path}",
        f"https://graph.microsoft.com@evil.example{RESOURCE.path}",
        f"https://evil.example\\@graph.microsoft.com{RESOURCE.path}",
        f"https://user:word@graph.microsoft.com{RESOURCE.path}",
        f"https://@graph.microsoft.com{RESOURCE.path}",
        f"https://[graph.microsoft.com{RESOURCE.path}",
        f"https://[::1]{RESOURCE.path}",
        f"{ORIGIN}/v1.0/users?$skiptoken=1",
        f"{ORIGIN}{RESOURCE.path}/../../users",
        f"{ORIGIN}{RESOURCE.path}/?x",
        f"{ORIGIN}/%76" + RESOURCE.path[2:],
        f"{HERE}?a\r\nHost: evil.example",
        f"{HERE}?a\x00",
        f"{HERE}?a\u2028b",
        f"{HERE}?a\x85b",
        f"{HERE}?a b",
        f"{HERE}?a=\u00e9",
        f" {HERE}?a",
        f"\t{HERE}?a",
        f"ht\ntps://graph.microsoft.com{RESOURCE.path}",
        f"https://graph.microsoft.com\u3002evil.example{RESOURCE.path}",
        f"https://gr\u0430ph.microsoft.com{RESOURCE.path}",
    ],
)
def test_a_next_link_that_leads_away_is_refused(link: str) -> None:
    """Another host, port, scheme or path, user info, a relative link, or what is no clean URL: not followed."""
    with pytest.raises(PollError, match=f"a nextLink of {DETAILS} leads away from Graph") as caught:
        check_next_link(link, ORIGIN, RESOURCE)
    assert caught.value.reason is Reason.INCOMPLETE


@given(st.text(max_size=80))
def test_any_text_as_a_next_link(link: str) -> None:
    """No text makes the check fail in another way, and what passes begins at home."""
    for text in (link, f"https://{link}", ORIGIN + link):
        with suppress(PollError):
            assert check_next_link(text, ORIGIN, RESOURCE).lower().startswith(ORIGIN)
