#!/usr/bin/env python3
"""Which tests a commit is judged by: prints a filter for cargo-nextest.

Every test runs but the long scenarios on whole clusters, which are dealt into rounds of about the same time; a commit gets the round
that its hash says, so that a second look at it is the same look (what is no clone: any). `make sweep` runs them all.

    MESOSFLOW_TEST_ROUND=2 make test     the second round instead
    MESOSFLOW_TEST_ROUND=all make test   all of them: two to three hours on two cores
"""

import os
import random
import subprocess
import sys
from pathlib import Path

# Modules of tests/e2e. Beside each, the seconds it took on two slow cores among others, or about what it takes.
ROUNDS = (
    {"changed": 1300, "roles_ansible": 600, "sources": 150, "reboot": 400},
    {"everyday": 600, "node_keys": 400, "redeployed": 1560},
    {"ec2::cluster": 1690, "hosts": 500, "image": 400, "take_over": 300},
    {"lost": 1500, "undone": 1200},
    {"long_build": 300, "replaced": 1400, "roles_elsewhere": 700},
    {"decommission": 930, "ec2::stopped": 1300, "ec2::dying": 740},
    {"check": 970, "ec2::joined": 700, "stopped": 800},
    {"ec2::kept": 700, "ec2::rolled": 900, "replay": 600, "overlay": 300},
)


def chosen() -> str:
    """`1` to the number of rounds, or `all`."""
    count = len(ROUNDS)
    given = os.environ.get("MESOSFLOW_TEST_ROUND")
    if given is not None:
        if given != "all" and given not in map(str, range(1, count + 1)):
            sys.exit(f"MESOSFLOW_TEST_ROUND={given}: say 1 to {count}, or all")
        return given
    try:
        said = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return str(random.randint(1, count))
    return str(int(said.stdout, 16) % count + 1)


def main() -> None:
    here = Path(__file__).parent / "e2e"
    for module in (module for round in ROUNDS for module in round):
        if not (here / (module.replace("::", "/") + ".rs")).is_file():
            sys.exit(f"{__file__}: there is no module {module} in {here}")
    name = chosen()
    if name == "all":
        print("all()")
        return
    left = [module for place, round in enumerate(ROUNDS, 1) if str(place) != name for module in round]
    print(
        f"test: round {name} of {len(ROUNDS)}, by its commit or MESOSFLOW_TEST_ROUND; "
        f"what it leaves out, `make sweep` runs: {' '.join(sorted(left))}",
        file=sys.stderr,
    )
    print(f"not (package(mesosflow-tests) and test(/^({'|'.join(left)})::/))")


main()
