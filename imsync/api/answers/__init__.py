"""What goes out: the shape of every answer. The OpenAPI document is made from these.

`shapes` fills them in, and mypy holds it to them; a test holds what is really answered to
the document. Times are RFC 3339 in UTC with milliseconds.
"""
