"""The HTTP face: JSON in, JSON out, on TCP and on the unix socket."""
