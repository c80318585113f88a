"""Recorded answers → a value, or a reason and a sentence. No I/O."""

from __future__ import annotations

import gzip
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from exporter.answers import Answer
from exporter.errors import PollError, Reason, Rhythm
from exporter.graph.protocol import Collection, check_next_link, decipher
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


def failure(status: int, body: bytes = b"", *, plain: bool = False, decode: Any = decode, **headers: str) -> PollError:
    sent = {"request-id": REQUEST_ID, **{name.replace("_", "-"): text for name, text in headers.items()}}
    with pytest.raises(PollError) as caught:
        decipher(Answer(status, CIMultiDict(sent), body), decode, RESOURCE, NOW, plain=plain)
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
        (403, "Authentication_RequestFromUnsupportedUserRole", Reason.FORBIDDEN, "give them the role Reports Reader"),
        (403, "Authentication_ApplicationHasNoDirectoryReadAccess", Reason.FORBIDDEN, "permission Directory.Read.All"),
        (403, "SomethingNew", Reason.FORBIDDEN, "(SomethingNew); is application permission AuditLog.Read.All granted"),
        (403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", Reason.UNLICENSED, "Directory.Read.All as well"),
        (404, "ResourceNotFound", Reason.RETIRED, "choose another source"),
        (410, "Gone", Reason.RETIRED, "retired"),
        (408, "RequestTimeout", Reason.TIMEOUT, "gave up waiting"),
        (429, "TooManyRequests", Reason.THROTTLED, "throttles"),
        (500, "generalException", Reason.GRAPH_ERROR, "status 500"),
        (502, "UnknownError", Reason.GRAPH_ERROR, "status 502"),
        (503, "serviceNotAvailable", Reason.GRAPH_ERROR, "status 503"),
        (504, "UnknownError", Reason.GRAPH_ERROR, "status 504"),
        (501, "notSupported", Reason.GRAPH_ERROR, "status 501"),
        (400, "Directory_ExpiredPageToken", Reason.MALFORMED, "400"),
        (418, "Teapot", Reason.MALFORMED, "418 (Teapot)"),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "byte order mark"])
def test_statuses_and_codes(status: int, code: str, reason: Reason, words: str, mark: bytes) -> None:
    """Each documented status and code has its reason, a sentence that says what to do, and Graph's request-id."""
    error = failure(status, mark + error_body(code))
    assert (error.reason, error.status, error.code, error.request_id) == (reason, status, code, REQUEST_ID)
    assert words in error.sentence
    assert str(status) in error.sentence or DETAILS in error.sentence or status == 401
    assert "{" not in error.sentence


def test_400_to_the_plain_request_is_a_resource_that_is_not_there() -> None:
    """Nothing can be wrong with a request for the first page without options but the resource; texts do not matter."""
    for code in ("BadRequest", "UnknownError", ""):
        error = failure(400, error_body(code), plain=True)
        assert (error.reason, error.rhythm) == (Reason.RETIRED, Rhythm.SLOW)
        assert "choose another source" in error.sentence
        assert failure(400, error_body(code)).reason is Reason.MALFORMED
    assert failure(403, error_body("BadRequest"), plain=True).reason is Reason.FORBIDDEN


STRANGERS = [
    b"",
    b"<html><h1>canary-of-a-foreign-text</h1></html>",
    b"null",
    b"[]",
    b'"text"',
    b"{}",
    b'{"error":null}',
    b'{"error":"canary-of-a-foreign-text"}',
    b'{"error":"invalid_client","error_description":"canary-of-a-foreign-text"}',
    b'{"code":"Forbidden","message":"canary-of-a-foreign-text"}',
    b'{"error":{"code":null}}',
    b'{"error":{"code":{"code":"x"}}}',
    b'{"error":{"code":403}}',
    b'{"error":{"code":"Auth',
    b"[" * 100_000,
    b"\xff\xfe\x00",
    error_body("x")[1:],
]


@pytest.mark.parametrize(
    "status", [204, 206, 302, 304, 400, 401, 403, 404, 407, 410, 418, 429, 500, 501, 502, 503, 504]
)
@pytest.mark.parametrize("body", STRANGERS)
def test_what_is_not_in_graphs_envelope_is_not_graphs(status: int, body: bytes) -> None:
    """Whatever the status, it says nothing of permission, licence or report: something in between has answered."""
    error = failure(status, body)
    assert (error.reason, error.status, error.code) == (Reason.UNREACHABLE, status, None)
    assert error.sentence.startswith(f"something between here and Graph answered {status};")
    assert (error.rhythm is Rhythm.IN_POLL) == (status in {429, 500, 502, 503, 504})


@pytest.mark.parametrize("media_type", ["text/html", "TEXT/HTML; charset=utf-8", "application/xml", "image/png", "x"])
def test_what_the_content_type_contradicts_is_not_believed(media_type: str) -> None:
    """A body that says it is a page is none of Graph's, though it reads like one."""
    error = failure(403, error_body("Authentication_MSGraphPermissionMissing"), Content_Type=media_type)
    assert error.reason is Reason.UNREACHABLE
    error = failure(200, b'{"value":[]}', Content_Type=media_type)
    assert (error.reason, error.rhythm) == (Reason.MALFORMED, Rhythm.SOON)
    assert "what is no JSON" in error.sentence


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "application/json;odata.metadata=minimal", "Application/Problem+JSON", "text/plain"],
)
def test_content_types_under_which_json_comes(media_type: str) -> None:
    """What may be JSON is read as JSON."""
    answer = Answer(200, CIMultiDict({"content-type": media_type}), b'{"value":[]}')
    assert decipher(answer, decode, RESOURCE, NOW).rows == []


def test_a_byte_order_mark_in_front_of_a_page() -> None:
    """It is read as if it were not there."""
    assert decipher(Answer(200, {}, b'\xef\xbb\xbf{"value":[]}'), decode, RESOURCE, NOW).rows == []


WHOLE = '{"value":[{"id":"1","a":true,"b":-1.5e3,"c":null,"d":["\u00e9"],"e":"\u00e9\\ud83d\\ude00"}],"@odata.nextLink":"https://x"}'.encode()


def test_the_beginning_of_a_page_is_cut_off() -> None:
    """Wherever an answer is cut, it may pass and is asked for again, as a 503 is."""
    for length in range(len(WHOLE)):
        error = failure(200, WHOLE[:length])
        assert (error.reason, error.rhythm) == (Reason.MALFORMED, Rhythm.IN_POLL), WHOLE[:length]
        assert "cut off" in error.sentence
    assert len(decipher(Answer(200, {}, WHOLE), decode, RESOURCE, NOW).rows) == 1


@pytest.mark.parametrize("media_type", ["application/json", "text/html"])
@pytest.mark.parametrize("body", [b"", b" ", b"\r\n", b"\xef\xbb\xbf"])
def test_nothing_is_cut_off_too(body: bytes, media_type: str) -> None:
    """200 with nothing in it passes as well, whatever its headers say it is."""
    error = failure(200, body, Content_Type=media_type)
    assert (error.reason, error.rhythm) == (Reason.MALFORMED, Rhythm.IN_POLL)


@pytest.mark.parametrize("length", ["11", "13", "1"])
def test_another_length_than_announced(length: str) -> None:
    """A body that is longer or shorter than its header says is not believed; a compressed one has another length."""
    assert failure(200, b'{"value":[]}', Content_Length=length).rhythm is Rhythm.IN_POLL
    packed = Answer(200, {"Content-Length": length, "Content-Encoding": "gzip"}, b'{"value":[]}')
    assert decipher(packed, decode, RESOURCE, NOW).rows == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"value":[{"id":"1"}],"error":{"code":"x","message":"canary-of-a-foreign-text"}}',
        b'{"error":{"code":"generalException"},"value":[]}',
        b'{"error":{"code":""}}',
        b'{"value":[' + b'{"id":"123456789"},' * 5_000 + b'{}],"error":{"code":"x"}}',
    ],
)
def test_a_page_with_an_error_is_no_page(body: bytes) -> None:
    """Graph had begun to answer 200 when it failed: what came is not the report."""
    error = failure(200, body)
    assert (error.reason, error.rhythm) == (Reason.MALFORMED, Rhythm.IN_POLL)
    assert "an error beside its values" in error.sentence


def test_a_null_error_and_the_word_in_a_name_are_no_error() -> None:
    """Only an error is one."""
    for body in (b'{"value":[],"error":null}', b'{"value":["error"]}', b'{"value":[{"error":{"code":"x"}}]}'):
        assert decipher(Answer(200, {}, body), decode, RESOURCE, NOW).next_link is None


@pytest.mark.parametrize("value", [b"{}", b"[]", b"0", b'{"a":[]}', b'""', b"[[0]]"])
def test_more_values_than_any_page_has_are_refused_unread(value: bytes) -> None:
    """A body of few bytes and very many values is given up before one of them is made."""
    body = b'{"value":[' + b",".join([value] * 300_000) + b"]}"
    error = failure(200, body, decode=lambda _: pytest.fail("it was decoded"))
    assert error.reason is Reason.MALFORMED
    assert "more values than any page has" in error.sentence


@pytest.mark.parametrize("body", [b'{"value":' + b"[" * 100_000, b'{"value":[' + b'{"a":' * 50_000])
def test_a_body_that_is_deeper_than_the_stack(body: bytes) -> None:
    """Nesting without end is malformed on every Python, whether it stops at a depth or at the end of the body."""
    assert failure(200, body).reason == Reason.MALFORMED


@pytest.mark.parametrize(
    "body",
    [
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
        b'{"value":[]}{"value":[]}',
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
