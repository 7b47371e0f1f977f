"""Where nobody outside PagerDuty knows, or accounts differ: how this one behaves."""

from dataclasses import dataclass

from imsync.sandbox.settings import whole


@dataclass(slots=True)
class Switches:
    """Set in place, or over `PUT /_sandbox/switches`. The defaults are the likely answers."""

    unacknowledge: bool = True
    """Status acknowledged may go back to triggered over REST; else 400 (1003)."""

    clear_priority: bool = True
    """A priority may be set to null; else 400 (1020)."""

    nobody_on_call: bool = False
    """Nobody is on call by any escalation policy: what is assigned to nobody by name cannot be
    created (400, 1015)."""

    edit_resolved: bool = True
    """Title, urgency and priority of a resolved incident may be edited; else 400 (1001)."""

    longest_title: int = whole(1_024)
    """Characters a title may have, or 400 (2001); 0 for as many as one likes."""

    edit_api_channel: bool = False
    """`PUT /log_entries/{id}/channel` takes the details of an incident that was made over
    REST; else only of one made in the web interface."""

    bulk_partly: bool = False
    """Where one of a bulk update is refused, the others are done all the same, and the answer
    is the refusal; else none is done."""

    refuse_same_status: bool = False
    """Resolving what is resolved answers 400 (1001), acknowledging again as the same user
    400 (1002); else nothing happens and 200."""

    already_status: int = whole(400, least=400, most=499)
    """The HTTP status that goes with those two codes."""

    acknowledging_assigns: bool = False
    """Who acknowledges over REST becomes the assignee, as some report."""

    resolution_annotates: bool = True
    """A `resolution` also fires incident.annotated, as one given in the web interface does."""

    title_and_urgency_events: bool = False
    """incident.title_updated and incident.urgency_updated exist, and may be subscribed to."""

    refuse_unknown_events: bool = True
    """A subscription to an event that does not exist is refused (400); else accepted."""

    account_keys_name_agents: bool = True
    """What is done with a key of the account has the user in `From` as agent of its events;
    else nobody. So far as the log goes it was that user either way."""

    app_tokens_name_agents: bool = True
    """The same for the token of an app (OAuth)."""

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

    retry_redirects: bool = False
    """A delivery answered with 3xx is tried again; else it is dropped."""

    first_retry: int = whole(10, least=1)
    """Seconds until a delivery is tried again; the next wait is twice as long, and so on."""

    longest_retry: int = whole(3_600, least=1)
    """Seconds between tries at most."""

    escalation_timers: bool = False
    """Whatever nobody acknowledges escalates by itself, as the policy's delays say."""

    acknowledgement_timeout: int = whole(0)
    """Seconds until an acknowledgement wears off; 0 for never, as services are made."""

    auto_resolve_timeout: int = whole(0)
    """Seconds until an open incident resolves by itself; 0 for never."""
