#!/usr/bin/env python3
"""Compare this service with others, side by side on one machine.

    sudo benchmarks/run.py [--repetitions N] [--quick] [--only NAME,...] [--out FILE] [--publish]
        [--server NAME[@ROOT]]... [--socket NAME=PATH]...
    benchmarks/run.py --report FILE

A server is of the kind that its name begins with: `podman`, `dockerd-13@/var/tmp/debian-roots/trixie`. It runs on this
machine's root, or on ROOT. Repetitions are interleaved: whatever else the machine does hits all alike.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
sys.path[0] = str(CHECKOUT)

from benchmarks import report  # noqa: E402
from benchmarks.figures import Results  # noqa: E402
from benchmarks.machine import Course, about  # noqa: E402
from benchmarks.measure import measure  # noqa: E402
from benchmarks.options import Options, arguments  # noqa: E402
from benchmarks.report import Measurement  # noqa: E402

INSIDE = "APISERVER_BENCHMARK_INSIDE"
ENTER = 'ip link set lo up; exec "$@"'
DOCS = CHECKOUT / "docs"


def main() -> None:
    options = arguments(CHECKOUT)
    if options.report is not None:
        published(Measurement.read(options.report))
        return
    if os.geteuid() != 0:
        sys.exit("Run this as root")
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        unshare = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", ENTER, "sh"]
        os.execvp(unshare[0], [*unshare, sys.executable, __file__, *sys.argv[1:]])
    if missing := [name for name in ("h2load", "nsenter", "busybox") if shutil.which(name) is None]:
        sys.exit(f"Not here: {', '.join(missing)}. script/benchmark installs all that is needed")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended by SIGTERM"))
    measured(options)


def measured(options: Options) -> None:
    folder = Path(tempfile.mkdtemp(prefix="bench", dir="/tmp"))  # short: a socket's path has at most 107 bytes
    try:
        said, course = about(options), Course()

        def keep(so_far: Results) -> None:
            Measurement(said | course.so_far(), so_far).write(options.out)

        measure(options, folder, said, keep)
    finally:
        shutil.rmtree(folder)
    measurement = Measurement.read(options.out)
    print(f"{report.terminal(measurement)}\n\n{options.out}")
    if options.publish:
        published(measurement)
    if failures := measurement.about["failures"]:
        sys.exit("Could not be measured:\n" + "\n".join(failures))


def published(measurement: Measurement) -> None:
    measurement.write(DOCS / "performance" / report.RESULTS)
    for title in report.publish(measurement, DOCS):
        print(f"missed, and no cause in docs/performance/{report.CAUSES}: {title}", file=sys.stderr)


if __name__ == "__main__":
    main()
