#!/bin/sh
# A session over HTTP, against `imsyncd --sandbox` or any other daemon: IMSYNC_URL says where.
set -eu
api=${IMSYNC_URL:-http://127.0.0.1:8080}/api/v1

ask() { # METHOD PATH [curl's options]: fails with what was answered if it is no 2xx
    method=$1 path=$2
    shift 2
    curl -sS --fail-with-body -X "$method" "$api$path" -H 'Content-Type: application/json' "$@"
    echo
}

# Declared once, however often it is sent, by the key; edited as Ada, by From.
declared='{"title": "Checkout is slow", "severity": "SEV-2"}'
incident=$(ask POST /incidents -H 'Idempotency-Key: monitor-4711' -d "$declared")
id=$(echo "$incident" | sed -n 's/.*"id":"\(INC-[0-9]*\)".*/\1/p')
ask PATCH "/incidents/$id" -H 'From: ada@acme.example' -d '{"status": "mitigated"}'
ask POST "/incidents/$id/notes" -H 'From: ada@acme.example' -d '{"text": "Rolled back to 1.4.2"}'

# Only if nobody has edited it since we looked: 412 otherwise.
tag=$(curl -sS -o /dev/null -D - "$api/incidents/$id" | sed -n 's/^[Ee][Tt]ag: \("[0-9]*"\).*/\1/p')
ask PATCH "/incidents/$id" -H "If-Match: $tag" -d '{"title": "Checkout was slow"}' ||
    echo "somebody was quicker: get it again, and edit what it is now"

ask GET "/incidents/$id/timeline"
ask GET "/incidents/$id/explain/title"
ask GET '/incidents?status=open,mitigated&limit=10'
ask GET '/integrations'

# A refusal says why, with a code that never changes, and a hint (RFC 9457).
ask PATCH "/incidents/$id" -d '{"severity": "SEV-9"}' || true
