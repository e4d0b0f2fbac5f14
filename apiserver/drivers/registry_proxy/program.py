"""`program.py` with `-IS`: proxies for registries, on sockets that it inherits.

stdin: a line of JSON, `{"word": "/tmp/x", "registries": [{"descriptor": 5, "name": "r.example", "authority":
"r.example", "insecure": false}, ...]}`, the word being one of skopeo's command line in this call; the program ends when
its other end is closed. stdout: lines of JSON, `{"name": "r.example", "what": "refused", "text": "..."}`, as `Proxy`
tells it. The environment names the proxies that lead to registries.
"""

import json
import os
import socket
import sys
import threading

sys.path.append(os.path.abspath(f"{__file__}/../../../.."))

# Only now are these found.
from apiserver.drivers.registry_proxy.peers import is_ours
from apiserver.drivers.registry_proxy.server import Proxy, Registry


def main() -> None:
    speaking = threading.Lock()
    told = json.loads(sys.stdin.readline())

    def admits(connection: socket.socket) -> bool:
        return is_ours(connection, told["word"])

    def serve(named: dict[str, object]) -> None:
        listening = socket.socket(fileno=int(str(named.pop("descriptor"))))
        registry = Registry(**named)  # type: ignore[arg-type]  # as the service has written it

        def tell(what: str, text: str) -> None:
            with speaking:
                print(json.dumps({"name": registry.name, "what": what, "text": text}), flush=True)

        proxy = Proxy(listening, registry, os.environ, admits, tell)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()

    for each in told["registries"]:
        serve(each)
    sys.stdin.read()
    sys.stdout.flush()
    os._exit(0)  # whatever its threads still wait for


if __name__ == "__main__":
    main()
