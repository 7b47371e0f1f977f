"""A PagerDuty to try imsync against, and to test it against.

From the outside in: `main` is the command, `sandbox` connects everything, `gate` lets calls in,
`routes` says which there are, `answering` does what was asked, whole or not at all. `creating`,
`updating`, `incidents`, `directory` and `subscriptions` know how; `changes` and `edits` are what
can happen to an incident, each an act (`acts`) that is logged and told; `events`, `queues` and
`deliveries` are how the world is told, `timers` what happens by itself. `records` is the memory,
`account` the clock and the dice.

`playing` and the files in `page/` are for people, `controls` for those who play with the rest:
`switches`, `faults` and `limits`.
"""
