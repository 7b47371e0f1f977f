"""PagerDuty: its REST API, its webhooks, its names for things."""
