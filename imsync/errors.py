"""Every error imsync raises on purpose, sorted by what is to be done about it.

    ImsyncError
    ├── UserError          a person can put it right      -> message and hint, no traceback
    │   ├── NotFound       ... by naming another          -> 404, exit 4
    │   ├── Stale          ... by looking again           -> 412
    │   ├── Missed         ... by beginning anew          -> 410
    │   ├── WrongType      ... by sending another type    -> 415
    │   ├── Unauthenticated .. by showing a token         -> 401
    │   ├── Forbidden      ... by showing a better one    -> 403
    │   ├── WrongHost      ... by calling us by our name  -> 421
    │   └── Clash          ... by undoing something first -> 409
    ├── BadSignature       someone else is knocking       -> 401, nothing kept
    ├── HeldOff            ... and knocks very often  -> 429, the sender tries again
    ├── Overloaded         we cannot keep it right now    -> 503, the sender tries again
    └── ExternalError      a connector could not do it
        ├── Unavailable    ... now                        -> put off, try again
        │   └── Unknown    ... or perhaps did: no answer  -> settle before deciding again
        ├── Unauthorized   ... with these credentials     -> suspend the integration
        └── Refused        ... and never will             -> dead letter
            ├── Gone       ... for it does not exist      -> look it up again
            ├── NoSuchUser ... for that person            -> ask as the integration's own user
            └── Impossible ... for it has no such request -> the field is blocked, nobody is alarmed

Anything else is a bug. Raised by a connector, it costs the one item in hand an
attempt; raised by the database, it stops the daemon.
"""

from collections.abc import Iterable


class ImsyncError(Exception):
    """The root. `code` never changes: scripts and API clients may rely on it."""

    code = "imsync_error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UserError(ImsyncError):
    """The request makes no sense as it stands; the hint says what would."""

    code = "invalid_request"


class NotFound(UserError):
    """Nothing goes by that name; the hint lists what does."""

    code = "not_found"


class Stale(UserError):
    """The thing has changed since the caller looked at it (RFC 9110 §13.1.1)."""

    code = "stale"


class Missed(UserError):
    """Where the caller wants to go on is no longer there, or never was."""

    code = "events_missed"


class WrongType(UserError):
    """The body is not of a type that is taken here; the hint says which is."""

    code = "unsupported_media_type"


class Unauthenticated(UserError):
    """A token is needed, and there is none, or none that is good."""

    code = "unauthenticated"


class Forbidden(UserError):
    """Whoever asks is known, and may not do that."""

    code = "forbidden"


class ForeignSite(Forbidden):
    """A browser asks for another site's page."""

    code = "foreign_site"


class WrongHost(UserError):
    """The request is meant for a host of another name (RFC 9110 §15.5.20)."""

    code = "wrong_host"


class Clash(UserError):
    """The request contradicts what is there: a second link, a taken name."""

    code = "clash"


class BadSignature(ImsyncError):
    """A delivery whose sender we cannot prove."""

    code = "bad_signature"


class HeldOff(BadSignature):
    """The same, of one that has sent very many of them."""

    code = "held_off"


class Overloaded(ImsyncError):
    """We cannot keep what we were given right now; nothing of it was kept."""

    code = "overloaded"


class ExternalError(ImsyncError):
    """The external system did not do what we asked."""

    code = "external_error"


class Unavailable(ExternalError):
    """Nothing was changed there, and asking again later may work: 429, 503, no connection."""

    code = "external_unavailable"

    def __init__(
        self, message: str, *, hint: str = "", retry_after: int = 0, limited: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after  # milliseconds; 0 if the external system did not say
        self.limited = limited  # we asked too often; others who ask now would only add to it


class Unknown(Unavailable):
    """The request left, and no usable answer came: it may or may not have been carried out."""

    code = "external_outcome_unknown"


class Unauthorized(ExternalError):
    """The credentials are not (or no longer) good for this."""

    code = "external_unauthorized"


class Refused(ExternalError):
    """The external system understood and said no. Sending it again cannot help."""

    code = "external_refused"

    def __init__(self, message: str, *, hint: str = "", status: int = 0, number: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.status = status  # the HTTP status, 0 if there was none
        self.number = number  # the external system's own error code, 0 if there was none


class Gone(Refused):
    """What we asked for does not exist there (any more)."""

    code = "external_not_found"


class NoSuchUser(Refused):
    """The person on whose behalf we asked is not known there."""

    code = "external_no_such_user"


class Impossible(Refused):
    """The external system has no request that would set a field so: it always has another value."""

    code = "external_impossible"


def did_you_mean(said: str, known: Iterable[str]) -> str:
    """`did you mean …?`, for a hint: the one that is meant, or nothing where that is a guess.

    What is spelled alike but for case and punctuation comes first, then what contains it,
    then what is most like it.
    """
    from difflib import SequenceMatcher  # only mistakes pay for it

    bare = {one: _bare(one) for one in known}
    wanted = _bare(said[:_LONGEST])
    if not wanted:
        return ""
    same = [one for one, text in bare.items() if text == wanted]
    within = [one for one, text in bare.items() if wanted in text]
    likeness = {
        one: SequenceMatcher(None, wanted, text, autojunk=False).ratio()
        for one, text in bare.items()
    }
    best = max(likeness.values(), default=0)
    alike = [one for one, ratio in likeness.items() if ratio == best >= _ALIKE]
    for found in (same, within, alike):
        if len(found) == 1:
            return f"did you mean {found[0]}?"
    return ""


_ALIKE = 0.6
_LONGEST = 100  # nothing that is known is longer, and comparing takes as long as both are


def _bare(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())
