"""`did you mean …?`: the one that is meant, or nothing where that would be a guess."""

import pytest

from imsync.errors import did_you_mean

SEVERITIES = ("SEV-1", "SEV-2", "SEV-3", "SEV-4")
FIELDS = ("title", "description", "severity", "status", "assigned_to", "escalation_policy")


@pytest.mark.parametrize(
    ("said", "known", "meant"),
    [
        ("sev2", SEVERITIES, "SEV-2"),
        ("2", SEVERITIES, "SEV-2"),
        ("SEV 3", SEVERITIES, "SEV-3"),
        ("SEV-9", SEVERITIES, None),
        ("assignee", FIELDS, "assigned_to"),
        ("policy", FIELDS, "escalation_policy"),
        ("Titel", FIELDS, "title"),
        ("colour", FIELDS, None),
        ("prd-pd", ("prod-pd", "staging-pd"), "prod-pd"),
        ("prod", ("prod-pd", "staging-pd"), "prod-pd"),
        ("pd", ("prod-pd", "staging-pd"), None),
        ("", FIELDS, None),
        ("--", FIELDS, None),
        ("x", (), None),
    ],
)
def test_what_is_meant_is_named(said: str, known: tuple[str, ...], meant: str | None) -> None:
    assert did_you_mean(said, known) == (f"did you mean {meant}?" if meant else "")
