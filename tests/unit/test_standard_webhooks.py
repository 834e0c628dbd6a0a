"""Signatures as the Standard Webhooks specification has them."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from earmark.errors import ConfigurationError
from runtime.webhooks.standard_webhooks import SECRET_BYTES, make_secret, read_secret, signed_headers
from tests.servers import missing

try:
    from standardwebhooks.webhooks import Webhook as Verifier
except ImportError:
    Verifier = None

SECRET = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
"""Of the specification's test vector, as its library has it too."""
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_specifications_vector() -> None:
    """Id, time, body and secret of it give its signature."""
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", at, BODY, [SECRET])
    assert headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == SIGNATURE


@given(body=st.text(max_size=200), key=st.binary(min_size=24, max_size=64), seconds=st.integers(0, 4_000_000_000))
def test_it_is_what_the_official_library_signs(body: str, key: bytes, seconds: int) -> None:
    """Whatever body, secret and time."""
    if Verifier is None:
        missing("standardwebhooks", "Install the extra `dev`.")
    secret = "whsec_" + base64.b64encode(key).decode()
    at = datetime.fromtimestamp(seconds, UTC)
    headers = signed_headers("evt_1", at, body.encode(), [SecretStr(secret)])
    assert headers["webhook-signature"] == Verifier(secret).sign("evt_1", at, body)


def test_two_secrets_give_two_signatures() -> None:
    """Divided by a space, the newest first."""
    new, at = make_secret(), datetime.fromtimestamp(1614265330, UTC)
    both = signed_headers("m", at, BODY, [new, SECRET])["webhook-signature"].split(" ")
    assert both == [signed_headers("m", at, BODY, [each])["webhook-signature"] for each in (new, SECRET)]


def test_a_new_secret_is_one() -> None:
    """As long as the specification says, and never the same."""
    made = {make_secret().get_secret_value() for _ in range(10)}
    assert len(made) == 10
    assert all(len(read_secret(SecretStr(each))) in SECRET_BYTES for each in made)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_?", "x" * 200, "whsec_ä"])
def test_anything_else_is_none(text: str) -> None:
    """And is not repeated."""
    with pytest.raises(ConfigurationError, match="whsec_ and the Base64") as caught:
        read_secret(SecretStr(text))
    assert text in {"", "whsec_"} or text not in str(caught.value)
