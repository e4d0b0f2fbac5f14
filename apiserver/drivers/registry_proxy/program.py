"""`program.py` with `-IS`: proxies for registries, on sockets that it inherits.

stdin: a line of JSON, `[{"descriptor": 5, "name": "r.example", "authority": "r.example", "insecure": false}, ...]`; the
program ends when its other end is closed. stdout: lines of JSON, `{"name": "r.example", "what": "refused", "text":
"..."}`, as `Proxy` tells it. The environment names the proxies that lead to registries.
"""

import json
import os
import socket
import sys
import threading

sys.path.append(os.path.abspath(f"{__file__}/../../../.."))

from apiserver.drivers.registry_proxy.server import Proxy, Registry  # it has to be found first

_UID = 7
_PEER = 1


def admits(peer: tuple[str, int]) -> bool:
    """Whether who has connected is of this very user: certificates and proxies are lent to nobody else."""
    address = "{}:{:04X}".format("".join(f"{int(part):02X}" for part in reversed(peer[0].split("."))), peer[1])
    with open("/proc/net/tcp") as table:
        return any(int(row[_UID]) == os.getuid() for line in table if (row := line.split())[_PEER] == address)


def main() -> None:
    speaking = threading.Lock()

    def serve(named: dict[str, object]) -> None:
        listening = socket.socket(fileno=int(str(named.pop("descriptor"))))
        registry = Registry(**named)  # type: ignore[arg-type]  # as the service has written it

        def tell(what: str, text: str) -> None:
            with speaking:
                print(json.dumps({"name": registry.name, "what": what, "text": text}), flush=True)

        proxy = Proxy(listening, registry, os.environ, admits, tell)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()

    for each in json.loads(sys.stdin.readline()):
        serve(each)
    sys.stdin.read()
    sys.stdout.flush()
    os._exit(0)  # whatever its threads still wait for


if __name__ == "__main__":
    main()
