"""Live random stories, and tell those that went wrong.

python -m tests.simulation SEED              tell the story of one seed, whatever came of it
python -m tests.simulation FIRST AFTER_LAST  live them all; one line for each that went wrong
"""

import sys
import time

from tests.simulation.story import live


def main() -> int:
    seeds = [int(argument) for argument in sys.argv[1:]]
    if len(seeds) == 1:
        story = live(seeds[0], traced=True)
        print(*story.trace, *(story.complaints or ["all is as it should be"]), sep="\n")
        return bool(story.complaints)
    started, bad = time.process_time(), 0
    for seed in range(*seeds):
        story = live(seed)
        if story.complaints:
            bad += 1
            print(f"{seed}: {story.complaints[0]}", flush=True)
    count = len(range(*seeds))
    rate = count / (time.process_time() - started)
    print(f"{count} stories, {bad} went wrong; {rate:.1f} a second of CPU time")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
