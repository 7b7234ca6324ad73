"""How long until the desk answers, and how much memory does it take?

Peer, in the same run: a bare Ray head of the same options with as many empty actors as the desk has.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.desk import memory_mb, running
from benchmarks.table import Row, write
from cluster.attach import attach
from cluster.head import HeadOptions, end_tree, environment, interrupt, start_head, tagged
from cluster.ports import ports

ASKED_S, ASKED_MB = 30.0, 4096.0
BARE = """
import sys, ray
ray.init(address=sys.argv[1], namespace="bare", log_to_driver=False)
class Empty:
    def ping(self): return 1
made = [ray.remote(num_cpus=0)(Empty).remote() for _ in range(int(sys.argv[2]))]
ray.get([one.ping.remote() for one in made])
print("ready", flush=True)
sys.stdin.read()
"""


def bare(actors: int) -> tuple[float, float]:
    """Seconds and MB of a Ray head with empty actors."""
    with tempfile.TemporaryDirectory(prefix="vb-") as folder:
        token = Path(folder) / "token"
        token.write_text("b" * 64)
        token.chmod(0o600)
        session = f"bench-{os.getpid()}"
        options = HeadOptions(
            ports=ports(32), temp_dir=Path(folder) / "ray", token_path=token, session_id=session, object_store_mb=300,
            spill_dir=Path(folder) / "spill", cpus=0, log_path=Path(folder) / "head.log",
        )  # fmt: skip
        began = time.monotonic()
        head = start_head(options)
        command = [sys.executable, "-c", BARE, f"127.0.0.1:{options.ports.gcs}", str(actors)]
        try:
            while True:
                driver = subprocess.Popen(
                    command, env=environment(options), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
                assert driver.stdout is not None
                if driver.stdout.readline().startswith("ready"):
                    break
                if time.monotonic() - began > 120:
                    raise TimeoutError("the bare head did not come up within 120 s")
            seconds, megabytes = time.monotonic() - began, memory_mb(session)
            driver.kill()
        finally:
            interrupt(head)
            end_tree(tagged(session), grace_s=5.0)
    return seconds, megabytes


def main() -> int:
    with running() as (state, seconds):
        time.sleep(20)  # let every actor have its working set
        megabytes = memory_mb(state.session_id)
        actors = len(attach(state.desk).status().actors)
    peer_s, peer_mb = bare(actors)
    peer = f"bare Ray head with {actors} empty actors"
    write(Row(question="desk answers after", ours=f"{seconds:.1f} s", peer=f"{peer_s:.1f} s, {peer}",
              ratio=seconds / peer_s, asked="≤ 30 s", reached=seconds <= ASKED_S))  # fmt: skip
    write(Row(question="memory of the desk", ours=f"{megabytes:.0f} MB", peer=f"{peer_mb:.0f} MB, {peer}",
              ratio=megabytes / peer_mb, asked="≤ 4 GB", reached=megabytes <= ASKED_MB))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
