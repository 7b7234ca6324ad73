"""`make bench`: every benchmark in turn, each in a process of its own."""

import subprocess
import sys

QUESTIONS = (
    "desk_up",
    "tick_to_chain",
    "exchange_to_chain",
    "recovery",
    "order_path",
    "order_on_desk",
    "kill_switch",
    "replay_day",
    "margin",
    "risk_check",
    "var",
    "surface",
    "implied_vol",
    "greeks",
    "chain_analytics",
    "scenarios",
    "first_use",
    "frame_decode",
    "exchange_publish",
    "reconnect",
    "journal",
)


def main() -> int:
    wanted = sys.argv[1:] or QUESTIONS
    unknown = set(wanted) - set(QUESTIONS)
    if unknown:
        print(f"unknown benchmark {sorted(unknown)}; there are {', '.join(QUESTIONS)}", file=sys.stderr)
        return 2
    return max(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode for name in wanted)


if __name__ == "__main__":
    sys.exit(main())
