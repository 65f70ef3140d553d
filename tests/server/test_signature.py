"""Signatures of version 4: what AWS's own signers make is accepted, and nothing else is."""

import dataclasses
import hashlib
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.credentials import Credentials
from hypothesis import example, given
from hypothesis import strategies as st

from server.signing import CREDENTIALS, ID, SECRET, arrived, make_keys, signed_by
from understudy.server.canonical import sign, signing_key, string_to_sign
from understudy.server.signature import (
    JSON_ERRORS,
    LONGEST_EXPIRY,
    S3_ERRORS,
    SIGNED_CHUNKS,
    WINDOW,
    Reason,
    SignatureError,
    claimed_service,
    is_version_2,
    presign,
    verify,
)

ML = "machinelearning"
MAY_2013 = datetime(2013, 5, 24, tzinfo=UTC)
EMPTY = hashlib.sha256(b"").hexdigest()
TARGET = {"X-Amz-Target": "AmazonML_20141212.GetMLModel", "Content-Type": "application/x-amz-json-1.1"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Give the one known key."""
    return make_keys(tmp_path_factory.mktemp("keys"))


def now():
    """Return the time that botocore signs at, too."""
    return datetime.now(UTC)


def changed(request, **changes):
    """Return a request with other fields."""
    return dataclasses.replace(request, **changes)


def with_headers(request, **changes):
    """Return a request with headers changed or, by None, taken away; underscores stand for dashes."""
    headers = request.headers | {name.replace("_", "-"): value for name, value in changes.items()}
    return changed(request, headers={name: value for name, value in headers.items() if value is not None})


def refused(request, keys, service="s3", at=None, body=None):
    """Return why a request is refused."""
    with pytest.raises(SignatureError) as caught:
        verify(request, keys, service, at or now(), body)
    assert SECRET not in caught.value.message
    return caught.value


def s3_get(path="/bucket/key", headers=None):
    """Return a signed GET of S3."""
    return signed_by(S3SigV4Auth(CREDENTIALS, "s3", "us-east-1"), "GET", f"http://localhost:8080{path}", headers)


def ml_call(body=b"{}"):
    """Return a signed call of Amazon ML."""
    return signed_by(SigV4Auth(CREDENTIALS, ML, "eu-west-1"), "POST", "http://localhost:8080/", TARGET, body)


def authorization(names, signature, scope="20130524/us-east-1/s3/aws4_request"):
    """Return an Authorization header."""
    return f"AWS4-HMAC-SHA256 Credential={ID}/{scope},SignedHeaders={names},Signature={signature}"


# Published examples


EXAMPLES = [
    (
        "GET", "/test.txt", {"Range": "bytes=0-9", "x-amz-date": "20130524T000000Z"}, EMPTY,
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    (
        "PUT", "/test%24file.text",
        {
            "Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-date": "20130524T000000Z",
            "x-amz-storage-class": "REDUCED_REDUNDANCY",
        },
        hashlib.sha256(b"Welcome to Amazon S3.").hexdigest(),
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    (
        "GET", "/?lifecycle", {"x-amz-date": "20130524T000000Z"}, EMPTY, "host;x-amz-content-sha256;x-amz-date",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    (
        "GET", "/?max-keys=2&prefix=J", {"x-amz-date": "20130524T000000Z"}, EMPTY,
        "host;x-amz-content-sha256;x-amz-date",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "headers", "digest", "names", "signature"), EXAMPLES)
def test_examples_of_the_s3_manual(keys, method, path, headers, digest, names, signature):
    """The signatures that the S3 API reference prints are ours, too."""
    headers = headers | {"x-amz-content-sha256": digest, "Authorization": authorization(names, signature)}
    request = arrived(method, f"https://examplebucket.s3.amazonaws.com{path}", headers)
    found = verify(request, keys, "s3", MAY_2013)
    assert (found.key.id, found.payload, found.hoisted) == (ID, digest, {})


def test_presigned_example_of_the_s3_manual(keys):
    """The presigned address that the S3 API reference prints holds for a day, and is the one that we would make."""
    url = "https://examplebucket.s3.amazonaws.com/test.txt"
    made = presign(keys.default(), "GET", url, "s3", 86_400, MAY_2013)
    assert made.endswith("&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
    assert verify(arrived("GET", made), keys, "s3", MAY_2013 + timedelta(hours=23)).key.id == ID


def test_vanilla_example_of_the_test_suite(tmp_path):
    """The first request of AWS's signature test suite is accepted."""
    keys = make_keys(tmp_path, "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    header = (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )
    request = arrived(
        "GET", "https://example.amazonaws.com/", {"X-Amz-Date": "20150830T123600Z", "Authorization": header}
    )
    assert verify(request, keys, "service", datetime(2015, 8, 30, 12, 36, tzinfo=UTC)).key.id == "AKIDEXAMPLE"


# botocore's signers


SEGMENTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), min_size=1, max_size=4)
PAIRS = st.lists(st.tuples(st.text("aB-_.~/+ %&=ü*'", min_size=1, max_size=6), st.text(max_size=6)), max_size=4)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


def address(segments, pairs):
    """Return an address with encoded path and query."""
    path = "/".join(quote(segment, safe="-._~!'()*") for segment in segments)
    query = "&".join(f"{quote(name, safe='-._~')}={quote(value, safe='-._~')}" for name, value in pairs)
    return f"http://localhost:8080/{path}" + (f"?{query}" if query else "")


@given(SEGMENTS, PAIRS, VALUES, st.sampled_from(["GET", "PUT", "DELETE", "HEAD"]), st.binary(max_size=20))
@example(["b", "..", "", "k e+y"], [("prefix", "a/b"), ("prefix", "")], "  two   blanks\t", "PUT", b"x")
def test_s3_requests_of_botocore_are_accepted(keys, segments, pairs, value, method, body):
    """Whatever path, query and header, what botocore signs for S3 is accepted, and says what the body must be."""
    signer = S3SigV4Auth(CREDENTIALS, "s3", "eu-west-1")
    request = signed_by(signer, method, address(segments, pairs), {"x-amz-meta-note": value, "Range": value}, body)
    found = verify(request, keys, "s3", now(), body)
    assert (found.scope.split("/")[1], found.payload) == ("eu-west-1", hashlib.sha256(body).hexdigest())
    assert claimed_service(request) == "s3"


@given(SEGMENTS, PAIRS, VALUES, st.binary(max_size=20))
@example(["a", "..", "", ".", "b", ""], [], "", b"")
def test_requests_of_other_services_are_accepted(keys, segments, pairs, value, body):
    """What botocore signs for a JSON service, its path encoded twice, is accepted; the body's digest is computed."""
    headers = TARGET | {"X-Note": value}
    request = signed_by(SigV4Auth(CREDENTIALS, ML, "us-east-1"), "POST", address(segments, pairs), headers, body)
    assert verify(request, keys, ML, now(), body).key.id == ID
    assert claimed_service(request) == ML
    assert refused(request, keys, ML, body=body + b" ").reason is Reason.MISMATCH


@given(SEGMENTS, PAIRS, st.integers(1, LONGEST_EXPIRY))
def test_presigned_addresses_of_botocore_are_accepted(keys, segments, pairs, expires):
    """What botocore presigns is accepted until it expires, for S3 whatever the body, and for other services."""
    unique = list(dict(pairs).items())
    for service, kind in (("s3", S3SigV4QueryAuth), (ML, SigV4QueryAuth)):
        signer = kind(CREDENTIALS, service, "us-east-1", expires=expires)
        request = signed_by(signer, "GET", address(segments, unique))
        assert verify(request, keys, service, now()).key.id == ID
        assert claimed_service(request) == service
        late = now() + timedelta(seconds=expires + 2)
        assert refused(request, keys, service, late).reason is Reason.EXPIRED


@given(SEGMENTS, PAIRS, st.sampled_from(["s3", ML]))
def test_our_own_presigned_addresses_are_botocores(keys, segments, pairs, service):
    """`presign` makes an address that we accept, with the signature that botocore computes for it."""
    url = address(segments, pairs)
    made = presign(keys.default(), "GET", url, service, 60, now(), region="eu-west-1")
    request = arrived("GET", made)
    assert verify(request, keys, service, now()).scope.split("/")[1] == "eu-west-1"
    assert urlsplit(made).path == urlsplit(url).path


def test_security_token_is_signed_and_otherwise_ignored(keys):
    """A request with a session token is verified like any other."""
    credentials = Credentials(ID, SECRET, token="session")
    request = signed_by(S3SigV4Auth(credentials, "s3", "us-east-1"), "GET", "http://localhost:8080/b")
    assert verify(request, keys, "s3", now()).key.id == ID


# Odd clients


def hand_signed(method, path, query, headers, canonical):
    """Return an S3 request whose canonical form is the given one, whatever it looks like on the wire."""
    scope = "20130524/us-east-1/s3/aws4_request"
    key = signing_key(SECRET, "20130524", "us-east-1", "s3")
    signature = sign(key, string_to_sign("20130524T000000Z", scope, canonical))
    names = "host;x-amz-content-sha256;x-amz-date"
    headers = {
        "x-amz-content-sha256": EMPTY, "x-amz-date": "20130524T000000Z",
        "authorization": authorization(names, signature), **headers,
    }  # fmt: skip
    return dataclasses.replace(arrived(method, "http://x/", headers), raw_path=path, raw_query=query)


def canonical(path, query, host="localhost:8080"):
    """Return the canonical form of a GET."""
    return (
        f"GET\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:{EMPTY}\nx-amz-date:20130524T000000Z\n\n"
        f"host;x-amz-content-sha256;x-amz-date\n{EMPTY}"
    )


ODD = [
    ("/b", "prefix=a/b&delimiter=/", "localhost:8080", canonical("/b", "delimiter=%2F&prefix=a%2Fb")),
    ("/b", "prefix=a+b", "localhost:8080", canonical("/b", "prefix=a%20b")),
    ("/b", "uploads", "localhost:8080", canonical("/b", "uploads=")),
    ("/b/a!b", "", "localhost:8080", canonical("/b/a%21b", "")),
    ("/b", "", "localhost:8080:8080", canonical("/b", "")),
]


@pytest.mark.parametrize(("path", "query", "host", "text"), ODD)
def test_odd_spellings_of_clients_are_understood(keys, path, query, host, text):
    """A slash or a blank left unencoded, a missing equals sign and boto 2's doubled port are read as they are meant."""
    request = hand_signed("GET", path, query, {"host": host}, text)
    assert verify(request, keys, "s3", MAY_2013).key.id == ID


def test_plus_is_not_taken_for_an_encoded_plus(keys):
    """A signature over an encoded plus does not vouch for a bare one, which means a blank."""
    request = hand_signed("GET", "/b", "prefix=a+b", {"host": "localhost:8080"}, canonical("/b", "prefix=a%2Bb"))
    assert refused(request, keys, at=MAY_2013).reason is Reason.MISMATCH


def test_date_header_will_do(keys):
    """A request without x-amz-date is dated by its Date header, in mail's form or in AWS's."""
    for date in ("Fri, 24 May 2013 00:00:00 GMT", "20130524T000000Z", "Fri, 24 May 2013 00:00:00 -0000"):
        text = f"GET\n/\n\ndate:{date}\nhost:h\n\ndate;host\n{EMPTY}"
        scope = f"20130524/us-east-1/{ML}/aws4_request"
        signature = sign(
            signing_key(SECRET, "20130524", "us-east-1", ML), string_to_sign("20130524T000000Z", scope, text)
        )
        headers = {"Date": date, "Authorization": authorization("date;host", signature, scope)}
        assert verify(arrived("GET", "http://h/", headers), keys, ML, MAY_2013).timestamp == "20130524T000000Z"


def test_headers_are_signed_as_the_bytes_that_they_are(keys):
    """A header in UTF-8 is signed over its bytes, even where one of them looks like a blank in another encoding."""
    text = f"GET\n/\n\nhost:h\nx-amz-date:20130524T000000Z\nx-note:voilà\n\nhost;x-amz-date;x-note\n{EMPTY}"
    scope = f"20130524/us-east-1/{ML}/aws4_request"
    digest = hashlib.sha256(text.encode()).hexdigest()
    key = signing_key(SECRET, "20130524", "us-east-1", ML)
    signature = sign(key, f"AWS4-HMAC-SHA256\n20130524T000000Z\n{scope}\n{digest}")
    headers = {
        "x-amz-date": "20130524T000000Z", "x-note": "voilà".encode().decode("latin-1"),
        "authorization": authorization("host;x-amz-date;x-note", signature, scope),
    }  # fmt: skip
    assert verify(arrived("GET", "http://h/", headers), keys, ML, MAY_2013).key.id == ID


# Refusals


def test_wrong_secret_is_refused_with_what_should_have_been_signed(keys):
    """A signature by another secret is refused; the message shows the canonical request as AWS does."""
    request = signed_by(
        S3SigV4Auth(Credentials(ID, "wrong"), "s3", "us-east-1"), "GET", "http://localhost:8080/b/k?x=1"
    )
    error = refused(request, keys)
    assert error.reason is Reason.MISMATCH
    assert (
        "The Canonical String for this request should have been\n'GET\n/b/k\nx=1\nhost:localhost:8080" in error.message
    )


TAMPERED = {
    "method": lambda r: changed(r, method="PUT"),
    "path": lambda r: changed(r, raw_path="/bucket/other"),
    "query": lambda r: changed(r, raw_query="versionId=2"),
    "more query": lambda r: changed(r, raw_query=f"{r.raw_query}&acl"),
    "host": lambda r: with_headers(r, host="elsewhere:8080"),
    "header": lambda r: with_headers(r, x_amz_meta_note="other"),
    "header gone": lambda r: with_headers(r, x_amz_meta_note=None),
    "digest": lambda r: with_headers(r, x_amz_content_sha256="0" * 64),
    "signature": lambda r: with_headers(r, authorization=r.headers["authorization"][:-1] + "x"),
    "signature of other letters": lambda r: with_headers(r, authorization=r.headers["authorization"] + "ü"),
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
def test_tampered_request_is_refused(keys, change):
    """Whatever part of a signed request is changed on its way, the signature no longer holds."""
    request = s3_get("/bucket/key?versionId=1", {"x-amz-meta-note": "mine"})
    assert verify(request, keys, "s3", now()).key.id == ID
    assert refused(change(request), keys).reason is Reason.MISMATCH


@given(st.integers(0, 400), st.characters(min_codepoint=33, max_codepoint=126))
def test_tampered_presigned_address_is_refused(keys, place, letter):
    """No letter of a presigned address's query can be exchanged for one that means something else."""
    query = urlsplit(presign(keys.default(), "GET", "http://h/b/k?versionId=3", "s3", 60, now())).query
    place %= len(query)
    other = query[:place] + letter + query[place + 1 :]
    request = arrived("GET", "http://h/b/k")
    if other != query:
        assert refused(changed(request, raw_query=other), keys).reason


def test_clock_window_is_a_quarter_of_an_hour(keys):
    """A signature holds 15 minutes before and after our clock, and not a second longer."""
    for request, service, body in ((s3_get(), "s3", None), (ml_call(), ML, b"{}")):
        at = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        second = timedelta(seconds=1)
        assert verify(request, keys, service, at + WINDOW, body)
        assert verify(request, keys, service, at - WINDOW, body)
        late = refused(request, keys, service, at + WINDOW + second, body)
        early = refused(request, keys, service, at - WINDOW - second, body)
        assert {late.reason, early.reason} == {Reason.STALE}
        assert re.match(r"Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(", late.message)
        assert re.match(r"Signature not yet current: \d{8}T\d{6}Z is still later than ", early.message)


def test_presigned_address_of_the_future_is_refused(keys):
    """A presigned address from more than 15 minutes ahead is not yet valid."""
    request = arrived("GET", presign(keys.default(), "GET", "http://h/b/k", "s3", 60, now() + timedelta(minutes=16)))
    assert refused(request, keys).reason is Reason.NOT_YET_VALID


def test_unknown_key_is_told(keys):
    """An access key id that is not ours is named, before anything is computed."""
    request = signed_by(S3SigV4Auth(Credentials("AKIAOTHER", "x"), "s3", "us-east-1"), "GET", "http://localhost:8080/b")
    error = refused(request, keys)
    assert (error.reason, "AKIAOTHER" in error.message) == (Reason.UNKNOWN_KEY, True)


def test_signature_of_another_service_or_day_is_refused(keys):
    """A signature counts for the one service and day of its scope."""
    assert refused(s3_get(), keys, ML).reason is Reason.WRONG_SCOPE
    assert refused(ml_call(), keys, "s3").reason is Reason.WRONG_SCOPE
    request = arrived(
        "GET", "http://h/", {"x-amz-date": "20130525T000000Z", "authorization": authorization("host", "0")}
    )
    assert "20130524" in refused(request, keys, at=MAY_2013).message


def test_request_without_signature_is_missing_one(keys):
    """No signature at all has its own reason, and claims no service."""
    request = arrived("GET", "http://h/b/k?prefix=x")
    assert refused(request, keys).reason is Reason.MISSING
    assert claimed_service(request) is None


def test_version_2_in_the_header_is_recognised_and_not_supported(keys):
    """A header of version 2 is told apart and refused: whoever can set headers can sign by version 4."""
    request = arrived("GET", "http://h/b", {"Authorization": "AWS AKIA:c2lnbmF0dXJl"})
    assert is_version_2(request)
    assert claimed_service(request) is None
    assert refused(request, keys).reason is Reason.UNSUPPORTED
    assert not is_version_2(s3_get())


def test_other_mechanisms_are_not_supported(keys):
    """Basic and bearer authorization are no signature; the message names the one that is."""
    error = refused(arrived("GET", "http://h/", {"Authorization": "Basic dXNlcjpwYXNz"}), keys)
    assert (error.reason, "AWS4-HMAC-SHA256" in error.message) == (Reason.UNSUPPORTED, True)


@pytest.mark.parametrize(
    "header",
    [
        "AWS4-HMAC-SHA256 ",
        "AWS4-HMAC-SHA256 Credential=x",
        "AWS4-HMAC-SHA256 Credential=x,SignedHeaders=host,Signature=0",
        f"AWS4-HMAC-SHA256 Credential={ID}/20130524/us-east-1/s3/aws3_request,SignedHeaders=host,Signature=0",
        f"AWS4-HMAC-SHA256 Credential={ID}//us-east-1/s3/aws4_request,SignedHeaders=host,Signature=0",
    ],
)
def test_malformed_header_is_told(keys, header):
    """An Authorization header that lacks a part is malformed; it still counts as a signature of version 4."""
    request = arrived("GET", "http://h/", {"Authorization": header, "x-amz-date": "20130524T000000Z"})
    assert refused(request, keys).reason is Reason.MALFORMED
    assert claimed_service(request) in {"", "s3"}


@pytest.mark.parametrize("date", ["", "yesterday", "20131399T000000Z", "20130524", "Fri, 99 May 2013 00:00:00 GMT"])
def test_date_that_is_none_is_told(keys, date):
    """A request whose date is missing or none is refused for that."""
    for name in ("x-amz-date", "date"):
        request = arrived("GET", "http://h/", {"Authorization": authorization("host", "0"), name: date})
        assert refused(request, keys).reason is Reason.NO_DATE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("X-Amz-Expires=60", "X-Amz-Expires=0"),
        ("X-Amz-Expires=60", "X-Amz-Expires=604801"),
        ("X-Amz-Expires=60", "X-Amz-Expires=-1"),
        ("X-Amz-Expires=60", "X-Amz-Expires=soon"),
        ("X-Amz-Expires=60", "X-Amz-Expires=9" + "9" * 5000),
        ("&X-Amz-Expires=60", ""),
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256&", ""),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        ("X-Amz-Date=2", "X-Amz-Date=x"),
        ("aws4_request", "aws3_request"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders="),
    ],
)
def test_malformed_presigned_address_is_told(keys, old, new):
    """A parameter of a presigned address that is missing or out of range is refused for that."""
    made = presign(keys.default(), "GET", "http://h/b/k", "s3", 60, now())
    assert old in made
    assert refused(arrived("GET", made.replace(old, new)), keys).reason is Reason.MALFORMED_QUERY


def test_two_signatures_are_one_too_many(keys):
    """A request signed in the header and in the query is refused."""
    request = s3_get(presign(keys.default(), "GET", "/b", "s3", 60, now())[3:])
    assert refused(request, keys).reason is Reason.TWICE


def test_headers_that_must_be_signed(keys):
    """Host, for S3 every x-amz-* header, for JSON services the target: an unsigned one is refused and named."""
    error = refused(with_headers(s3_get(), x_amz_acl="public-read"), keys)
    assert (error.reason, "x-amz-acl" in error.message) == (Reason.UNSIGNED_HEADER, True)
    bare = signed_by(SigV4Auth(CREDENTIALS, ML, "us-east-1"), "POST", "http://localhost:8080/")
    assert verify(bare, keys, ML, now())
    assert refused(with_headers(bare, x_amz_target="a.b"), keys, ML).reason is Reason.UNSIGNED_HEADER
    hostless = with_headers(s3_get(), authorization=authorization("x-amz-date", "0"), x_amz_date="20130524T000000Z")
    assert "host" in refused(hostless, keys, at=MAY_2013).message


def test_s3_must_declare_the_body(keys):
    """S3 wants x-amz-content-sha256: a digest or one of the known words."""
    assert refused(with_headers(s3_get(), x_amz_content_sha256=None), keys).reason is Reason.NO_BODY_HASH
    odd = with_headers(s3_get(), x_amz_content_sha256="STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")
    assert refused(odd, keys).reason is Reason.MALFORMED_BODY_HASH


def test_body_at_hand_is_compared(keys):
    """Where the body was read already, another than the declared one is refused at once."""
    request = signed_by(S3SigV4Auth(CREDENTIALS, "s3", "us-east-1"), "PUT", "http://localhost:8080/b", {}, b"body")
    assert verify(request, keys, "s3", now(), b"body")
    assert refused(request, keys, body=b"other").reason is Reason.BODY_MISMATCH


def test_presigned_upload_may_sign_its_digest(keys):
    """A presigned upload may declare its body by a signed header or in the query; an unsigned header does not count."""
    digest = hashlib.sha256(b"body").hexdigest()
    signer = S3SigV4QueryAuth(CREDENTIALS, "s3", "us-east-1")
    loose = signed_by(signer, "PUT", "http://localhost:8080/b/k")
    assert verify(with_headers(loose, x_amz_content_sha256=digest), keys, "s3", now()).payload == "UNSIGNED-PAYLOAD"

    class Strict(S3SigV4QueryAuth):
        def payload(self, _):
            return digest

    strict = Strict(CREDENTIALS, "s3", "us-east-1")
    request = signed_by(strict, "PUT", "http://localhost:8080/b/k", {"X-Amz-Content-Sha256": digest})
    assert verify(request, keys, "s3", now()).payload == digest
    request = signed_by(strict, "PUT", f"http://localhost:8080/b/k?X-Amz-Content-Sha256={digest}")
    assert verify(request, keys, "s3", now()).payload == digest


def test_headers_in_a_presigned_address_count(keys):
    """What SDKs move from headers into the address is told, but not what is about the signature itself."""
    query = "x-amz-copy-source=b%2Fk&X-Amz-Meta-A=1&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&prefix=x"
    url = presign(keys.default(), "PUT", f"http://localhost:8080/b/k?{query}", "s3", 60, now())
    found = verify(arrived("PUT", url), keys, "s3", now())
    assert (found.hoisted, found.unsigned) == ({"x-amz-copy-source": "b/k", "x-amz-meta-a": "1"}, frozenset())


def test_checksum_of_no_body_is_not_held_against_one(keys):
    """A checksum that an SDK computed while it presigned, with no body at hand, is none; one that was asked for is."""
    sent = "x-amz-checksum-crc32=AAAAAA%3D%3D"
    for query, hoisted in (
        (sent, {"x-amz-checksum-crc32": "AAAAAA=="}),
        (f"{sent}&x-amz-sdk-checksum-algorithm=CRC32", {}),
    ):
        url = presign(keys.default(), "PUT", f"http://localhost:8080/b/k?{query}", "s3", 60, now())
        assert verify(arrived("PUT", url), keys, "s3", now()).hoisted == hoisted


def test_every_reason_has_a_name_on_both_doors():
    """Each reason has AWS's name and status for JSON services and for S3; JSON services always answer 400."""
    assert set(JSON_ERRORS) == set(S3_ERRORS) == set(Reason)
    assert {refusal.status for refusal in JSON_ERRORS.values()} == {400}
    assert JSON_ERRORS[Reason.MISSING].code == "MissingAuthenticationTokenException"
    assert (S3_ERRORS[Reason.MISMATCH].code, S3_ERRORS[Reason.MISMATCH].status) == ("SignatureDoesNotMatch", 403)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60), st.booleans())
def test_nothing_but_a_refusal_comes_of_nonsense(keys, one, two, three, plain):
    """Whatever stands in header, date and query, the answer is a SignatureError."""
    header = one if plain else f"AWS4-HMAC-SHA256 Credential={one}/20130524/r/s3/aws4_request,{two},Signature={three}"
    request = arrived("GET", "http://h/", {"Authorization": header, "date": two, "x-amz-content-sha256": three})
    assert refused(changed(request, raw_query=three), keys).reason
    query = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={one}&X-Amz-Date={two}&X-Amz-Expires={three}"
    assert refused(changed(arrived("GET", "http://h/"), raw_query=query), keys).reason
    assert claimed_service(request) is None or isinstance(claimed_service(request), str)


def test_signed_stream_hands_on_what_its_chunks_need(keys):
    """What is needed to verify chunks is part of the answer, and no secret shows in its text."""
    request = s3_get(headers={"x-amz-decoded-content-length": "3"})
    found = verify(request, keys, "s3", now())
    assert found.scope == f"{found.timestamp[:8]}/us-east-1/s3/aws4_request"
    assert found.signature == request.headers["authorization"][-64:]
    assert found.signing_key == signing_key(SECRET, found.timestamp[:8], "us-east-1", "s3")
    assert SECRET not in repr(found)
    assert repr(found.signing_key) not in repr(found)
    assert SIGNED_CHUNKS.endswith("PAYLOAD")
