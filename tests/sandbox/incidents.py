"""What tests of incidents read and write."""

from typing import Any


def held(incident: dict[str, Any], what: str) -> list[str]:
    role = {"assignments": "assignee", "acknowledgements": "acknowledger"}[what]
    return [item[role]["summary"] for item in incident[what]]


def assignee(id_: str) -> dict[str, Any]:
    return {"assignments": [{"assignee": {"id": id_, "type": "user_reference"}}]}
