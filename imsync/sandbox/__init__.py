"""A PagerDuty to try imsync against, and to test it against.

From the outside in: `main` is the command, `sandbox` connects everything, `gate` lets calls in,
`routes` says which there are. `creating`, `updating`, `incidents`, `directory` and
`subscriptions` answer them; `changes` is what can happen to an incident, `events` and
`deliveries` how the world is told, `timers` what happens by itself. `records` is the memory,
`account` the clock and the dice. `switches` and `faults` are there to be played with.
"""
