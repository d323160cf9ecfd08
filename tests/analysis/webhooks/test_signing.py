import base64
import hashlib
import hmac

from analysis.webhooks import signing

# standardwebhooks 1.1.0 (PyPI): Webhook(SECRET).sign(ID, datetime.fromtimestamp(1_700_000_000, UTC), BODY)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_700_000_000, '{"test": "€"}'
EXPECTED = "v1,vaBsGzLjhMkMqP/RaIRYx8vC1+lAelWDLC/013PGpXA="


def test_signature__is_that_of_the_standards_own_library():
    assert signing.signature(SECRET, ID, AT, BODY.encode()) == EXPECTED


def test_signature__by_hand__is_the_same():
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{ID}.{AT}.{BODY}".encode()
    assert "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() == EXPECTED


def test_headers__while_a_secret_is_rotated__carry_both_signatures():
    other = signing.new_secret()
    made = signing.headers([other, SECRET], ID, AT, BODY.encode())
    assert made["webhook-signature"].split(" ")[1] == EXPECTED
    assert made["webhook-id"] == ID
    assert made["webhook-timestamp"] == str(AT)


def test_new_secret__has_256_random_bits_and_is_never_the_same():
    one, two = signing.new_secret(), signing.new_secret()
    assert one != two
    assert len(base64.b64decode(one.removeprefix(signing.PREFIX))) == 32
