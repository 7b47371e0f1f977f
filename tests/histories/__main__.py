"""Live random histories, and tell those that went wrong.

python -m tests.histories SEED              tell the story of one seed, whatever came of it
python -m tests.histories FIRST AFTER_LAST  live them all; one line for each that went wrong
"""

import sys
import time

from tests.histories.story import live, silence


def main() -> int:
    seeds = [int(argument) for argument in sys.argv[1:]]
    if len(seeds) == 1:
        found, told = live(seeds[0])
        print(*told, *(found or ["all is as it should be"]), sep="\n")
        return bool(found)
    started, bad = time.process_time(), 0
    with silence():
        for seed in range(*seeds):
            if found := live(seed)[0]:
                bad += 1
                print(f"{seed}: {found[0]}", flush=True)
    count = len(range(*seeds))
    rate = count / (time.process_time() - started)
    print(f"{count} histories, {bad} went wrong; {rate:.0f} a second of CPU time")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
