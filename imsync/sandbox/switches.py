"""Where nobody outside PagerDuty knows, or accounts differ: how this one behaves."""

from dataclasses import dataclass


@dataclass(slots=True)
class Switches:
    """Set in place, or over `PUT /_sandbox/switches`. The defaults are the likely answers."""

    unacknowledge: bool = True
    """Status acknowledged may go back to triggered over REST; else 400 (1003)."""

    clear_priority: bool = True
    """A priority may be set to null; else 400 (1020)."""

    edit_resolved: bool = True
    """Title, urgency and priority of a resolved incident may be edited; else 400 (1001)."""

    refuse_same_status: bool = False
    """Resolving what is resolved answers 400 (1001), acknowledging again as the same user
    400 (1002); else nothing happens and 200."""

    acknowledging_assigns: bool = False
    """Who acknowledges over REST becomes the assignee, as some report."""

    resolution_annotates: bool = True
    """A `resolution` also fires incident.annotated, as one given in the web interface does."""

    title_and_urgency_events: bool = False
    """incident.title_updated and incident.urgency_updated exist, and may be subscribed to."""

    refuse_unknown_events: bool = True
    """A subscription to an event that does not exist is refused (400); else accepted."""

    enabling_switches_on: bool = False
    """Enabling a subscription also switches one on that was switched off (`active` false)."""

    priorities: bool = True
    """The account has priorities; else `GET /priorities` is a 404."""

    log_entry_milliseconds: bool = True
    """Log entries tell their time to the millisecond, where PagerDuty's tell whole seconds.

    So by default because tests and the simulation judge imsync by the order of edits, and
    several fall into one second there; turn it off to live with what the real one tells.
    """

    channels_when_included: bool = False
    """Log entries show no more of their channel than its type without include[]=channels."""

    second_signature: bool = False
    """Deliveries carry another signature first, as while a secret is being replaced."""

    escalation_timers: bool = False
    """Whatever nobody acknowledges escalates by itself, as the policy's delays say."""

    acknowledgement_timeout: int = 0
    """Seconds until an acknowledgement wears off; 0 for never, as services are made."""

    auto_resolve_timeout: int = 0
    """Seconds until an open incident resolves by itself; 0 for never."""
