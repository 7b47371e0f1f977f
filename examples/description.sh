#!/bin/sh
# Every command of the description as it is printed there, against a running `imsyncd --sandbox`.
# Only hosts, tokens and ids are variables. It begins with the account that the sandbox has made.
set -eu

status=$(im status --format json)
value() { echo "$status" | sed -n "s/.*\"$1\": \"\(.*\)\".*/\1/p" | head -n 1; }
SERVER=http://$(value listen)
PAGERDUTY=$(value url)
TOKEN=$(value token)
DEFAULT=$(value default_service)
first() { # the id of the first of what the sandbox says it has
    curl -sS "$PAGERDUTY/_sandbox" |
        sed -n "s/.*\"$1\": *\[{\"id\": *\"\([A-Z0-9]*\)\".*/\1/p"
}
SERVICE=$(first services)
SCHEDULE=$(first schedules)
im integration delete prod-pd --yes

# Connect.
im integration configure \
    --name "Production PagerDuty" \
    --type pagerduty \
    --org acme-corp \
    --base-url "$PAGERDUTY" \
    --direction bidirectional \
    --token "$TOKEN"

# The same over HTTP.
im integration delete prod-pd --yes
curl -X POST "$SERVER/api/v1/integrations" \
    -H "Content-Type: application/json" \
    -d '{
        "organization_id": "acme-corp",
        "integration_type": "pagerduty",
        "name": "Production PagerDuty",
        "base_url": "'"$PAGERDUTY"'",
        "credentials": {
            "token": "'"$TOKEN"'"
        },
        "sync_direction": "bidirectional",
        "enabled": true
    }'
echo
ID=$(im integration get prod-pd --format json | sed -n 's/.*"id": "\(int_.*\)".*/\1/p')

# The webhook, which is made in PagerDuty: by hand there, over its API here. And what every
# account needs: who acts for imsync, and where incidents are created.
SECRET=$(curl -sS "$PAGERDUTY/webhook_subscriptions" -H "Authorization: Token token=$TOKEN" -d '{
    "webhook_subscription": {
        "type": "webhook_subscription",
        "delivery_method": {
            "type": "http_delivery_method",
            "url": "'"$SERVER/api/v1/webhooks/$ID"'"
        },
        "events": ["incident.triggered", "incident.acknowledged", "incident.resolved"],
        "filter": {"type": "account_reference"}
    }}' | sed -n 's/.*"secret": *"\([^"]*\)".*/\1/p')
echo "$SECRET" | im integration configure prod-pd --webhook-secret-file - \
    --from-email "$(value from_email)" --default-service "$DEFAULT"

# Platform owns title and description
im integration field-ownership set prod-pd title --owner platform --priority 10
im integration field-ownership set prod-pd description --owner platform --priority 10
# PagerDuty owns escalation and assignment
im integration field-ownership set prod-pd escalation_policy --owner external --priority 5
im integration field-ownership set prod-pd assigned_to --owner external --priority 5

# Conflicts
im integration configure prod-pd --conflict-strategy last-write-wins
im integration configure prod-pd --conflict-strategy ownership-priority
im integration configure prod-pd --conflict-strategy manual-review
im conflict list --integration prod-pd

# Escalations and services
im integration configure prod-pd --sync-escalations true
im integration service-mapping add prod-pd \
    --pd-service "$SERVICE" \
    --incident-type "infrastructure"
if im integration oncall --help >/dev/null 2>&1; then
    im integration oncall prod-pd --schedule-id "$SCHEDULE"
fi

# How it is
im integration sync-status prod-pd
im integration links prod-pd
im integration dlq prod-pd
im integration configure prod-pd \
    --rate-limit 100 \
    --backoff-multiplier 2
im integration test prod-pd
curl -X POST "$SERVER/api/v1/webhooks/$ID/test"
echo
