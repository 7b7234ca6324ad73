"""`python -m tests.chaos --kills 1000 --seed 7`: exit code 0 only if nothing is lost, doubled or mismatched."""

import argparse
import signal
import sys

from tests.chaos.plan import ChaosConfig
from tests.chaos.points import table
from tests.chaos.run import Outcome, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # its desk goes with it, as after Ctrl-C
    config = ChaosConfig(kills=asked.kills, seed=asked.seed)
    outcome = run(config, lambda line: print(line, flush=True))
    tell(outcome)
    return 0 if outcome.reached else 1


def tell(outcome: Outcome) -> None:
    """The table, what was wrong, and the last line."""
    config = outcome.config
    print(table(outcome.histogram))
    share = f"{outcome.share:.1%}, asked {config.least_share:.0%}"
    print(f"kills between journal and acknowledgement, within 50 ms of the send: {share}")
    print(f"faults: {', '.join(f'{name} {n}' for name, n in sorted(outcome.faults.items())) or 'none'}")
    print(f"orders by state: {', '.join(f'{name} {n}' for name, n in sorted(outcome.states.items()))}")
    print(f"refused or rejected by: {', '.join(f'{words} {n}' for words, n in outcome.refused.most_common(12))}")
    print(f"traders: {', '.join(f'{name} {n}' for name, n in outcome.did.most_common())}")
    print(f"kill switch: {', '.join(f'{name} {n}' for name, n in outcome.person.most_common()) or 'not pulled'}")
    print(f"calls without an answer: {', '.join(f'{words!r} {n}' for words, n in outcome.unanswered.most_common(12))}")
    print(f"restarts seen: {outcome.restarts.total()}; {outcome.seconds:.0f} s in all")
    for line in outcome.report.lines():
        print(line)
    print(outcome.last_line(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
