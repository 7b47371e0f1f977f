"""imsync keeps incidents in step between your platform and PagerDuty, both ways, within seconds."""

__version__ = "0.1.0"
