"""A PagerDuty to try imsync against, and to test it against."""
