"""/health and /status."""

from .asking import Api, declared


async def test_the_daemon_says_that_it_is_healthy(api: Api) -> None:
    for path in ("/health", "/api/v1/health"):
        found = await api.found(path)
        assert set(found) == {"status", "timestamp"}
        assert found["status"] == "healthy"


async def test_the_status_counts_what_there_is(api: Api) -> None:
    await api.made(
        "/api/v1/integrations",
        {"name": "PagerDuty", "integration_type": "pagerduty", "default_service": "PSERVICE"},
    )
    await declared(api)
    found = await api.found("/api/v1/status")
    assert {
        *("version", "pid", "uptime_s", "listen", "socket", "database", "schema"),
        *("integrations", "pending", "dead_letters", "conflicts"),
    } <= set(found)
    assert (found["pending"], found["dead_letters"], found["conflicts"]) == (1, 0, 0)
    assert "sandbox" not in found
