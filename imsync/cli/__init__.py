"""`im`: the command line. Knows the socket and nothing else of the house."""
