"""How PagerDuty says no: a status, a code of its own, and words."""

from imsync.sandbox.rows import Json


class Refusal(Exception):
    """Raised anywhere in an API call; undoes what the call has changed so far."""

    def __init__(self, status: int, code: int, message: str, *errors: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"error": {"message": message, "code": code}}
        if errors:
            self.body["error"]["errors"] = list(errors)


class PartlyDone(Refusal):
    """The same refusal, of a part: what was done beside it stays done."""

    def __init__(self, why: Refusal) -> None:
        Exception.__init__(self, str(why))
        self.status, self.body = why.status, why.body


def invalid(*errors: str) -> Refusal:
    return Refusal(400, 2001, "Invalid Input Provided", *errors)


def arguments(*errors: str) -> Refusal:
    return Refusal(400, 2002, "Arguments Caused Error", *errors)


def not_found() -> Refusal:
    return Refusal(404, 2100, "Not Found")


def already_resolved(status: int) -> Refusal:
    return Refusal(status, 1001, "Incident Already Resolved")


def already_acknowledged(status: int) -> Refusal:
    return Refusal(status, 1002, "Incident Already Acknowledged")


def no_such_assignee() -> Refusal:
    return Refusal(400, 1007, "Assigned To User Not Found")


def no_such_policy() -> Refusal:
    return Refusal(400, 1014, "Escalation Policy Not Found")


def cannot_escalate(why: str) -> Refusal:
    return Refusal(400, 1006, "Cannot Escalate", why)


def invalid_priority() -> Refusal:
    return Refusal(400, 1020, "Invalid Priority")


def no_such_service() -> Refusal:
    return Refusal(400, 5002, "Service Not Found")


def no_such_incident() -> Refusal:
    return Refusal(404, 5001, "Incident Not Found")


def not_authenticated() -> Refusal:
    return Refusal(401, 2006, "Authentication failed")


def read_only() -> Refusal:
    return Refusal(403, 2010, "Access Denied")


def no_from() -> Refusal:
    said = 'You must specify a user\'s email address in the "From" header to perform this action'
    return Refusal(400, 2016, said)


def from_nobody() -> Refusal:
    return Refusal(400, 1008, "Requester User Not Found")


def over_the_limit() -> Refusal:
    return Refusal(429, 2020, "Rate Limit Exceeded")


def internal(status: int) -> Refusal:
    return Refusal(status, 2000, "Internal Error")


def too_many() -> Refusal:
    return Refusal(413, 2001, "Request Entity Too Large", "At most 250 incidents at once.")


def too_large() -> Refusal:
    return Refusal(413, 2001, "Request Entity Too Large")
