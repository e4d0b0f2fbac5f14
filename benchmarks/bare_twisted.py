"""The least that a Twisted service can be: twisted.web alone, with an empty list for all, on the unix socket PATH.

bare_twisted.py PATH
"""

import sys

for name in ("OpenSSL", "service_identity"):  # Twisted imports them wherever they are installed
    sys.modules[name] = None  # type: ignore[assignment]

from twisted.internet import reactor  # noqa: E402
from twisted.internet.endpoints import UNIXServerEndpoint  # noqa: E402
from twisted.web.resource import Resource  # noqa: E402
from twisted.web.server import Request, Site  # noqa: E402


class EmptyList(Resource):
    isLeaf = True  # noqa: N815  (Twisted's name)

    def render_GET(self, request: Request) -> bytes:  # noqa: N802  (Twisted's name)
        request.setHeader("Content-Type", "application/json")
        return b"[]\n"


UNIXServerEndpoint(reactor, sys.argv[1]).listen(Site(EmptyList()))  # type: ignore[no-untyped-call]
reactor.run()
