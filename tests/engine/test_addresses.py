"""Where deliveries may be sent, and whose an address is."""

import pytest

from imsync.engine.addresses import leads_to, root_of
from imsync.errors import UserError

PD = "https://api.pagerduty.com"
SANDBOX = "http://127.0.0.1:4000"


@pytest.mark.parametrize(
    ("given", "setting", "base_url", "root"),
    [
        ("https://a.example", None, PD, "https://a.example"),
        ("https://a.example/", "https://b.example", PD, "https://a.example"),
        (None, "https://b.example/imsync", PD, "https://b.example/imsync"),
        ("https://a.example:8443", None, SANDBOX, "https://a.example:8443"),
        ("http://127.0.0.1:8080", None, SANDBOX, "http://127.0.0.1:8080"),
        ("http://localhost:8080", None, "http://[::1]:1", "http://localhost:8080"),
        ("http://[::1]:8080", None, SANDBOX, "http://[::1]:8080"),
        (None, None, SANDBOX, "http://127.0.0.1:9"),
    ],
)
def test_an_address_that_will_do(
    given: str | None, setting: str | None, base_url: str, root: str
) -> None:
    assert root_of(given, setting, listen="127.0.0.1:9", base_url=base_url) == root


@pytest.mark.parametrize(
    ("given", "base_url", "says"),
    [
        (None, PD, "nobody has said"),
        ("", PD, "'' is not an address"),
        ("incidents.example.com", PD, "'incidents.example.com' is not an address"),
        ("ftp://a.example", PD, "is not an address"),
        ("https://", PD, "is not an address"),
        ("https://[broken", PD, "is not an address"),
        ("https://a.example:port", PD, "is not an address"),
        ("https://a.example?x=1", PD, "is not an address"),
        ("https://a.example#x", PD, "is not an address"),
        ("https://a.example/a b", PD, "is not an address"),
        ("https://a.example/\n", PD, "is not an address"),
        ("http://a.example", PD, "in the clear"),
        ("http://10.0.0.1:8080", SANDBOX, "in the clear"),
        ("http://127.0.0.1:8080", PD, "which PagerDuty does not reach"),
        ("https://localhost", PD, "which PagerDuty does not reach"),
    ],
)
def test_an_address_that_will_not_is_named(given: str | None, base_url: str, says: str) -> None:
    with pytest.raises(UserError) as caught:
        root_of(given, None, listen="127.0.0.1:9", base_url=base_url)
    assert says in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("given", ["https://bob:hidden@a.example", "https://bob:hidden@[broken"])
def test_a_password_in_an_address_is_not_told(given: str) -> None:
    with pytest.raises(UserError) as caught:
        root_of(given, None, listen=None, base_url=PD)
    assert "hidden" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("url", "leads"),
    [
        ("https://a.example/api/v1/webhooks/int_1", True),
        ("https://a.example:8443/behind/a/proxy/api/v1/webhooks/int_1", True),
        ("HTTPS://A.EXAMPLE/API/V1/WEBHOOKS/INT_1", True),
        ("https://a.example/api/v1/webhooks/int_12", False),
        ("https://a.example/api/v1/webhooks/xint_1", False),
        ("https://a.example/?/api/v1/webhooks/int_1", False),
        ("https://[broken/api/v1/webhooks/int_1", False),
        ("", False),
    ],
)
def test_an_address_is_ours_by_the_id_it_ends_in(url: str, leads: bool) -> None:
    assert leads_to(url, "int_1") is leads
