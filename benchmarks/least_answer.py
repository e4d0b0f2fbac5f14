"""The least that a server can do: the same bytes for every request on the unix socket PATH, to see what the load
client can take.

least_answer.py PATH
"""

import select
import socket
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nOK"

listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen(512)
ready = select.epoll()
ready.register(listening, select.EPOLLIN)
connections: dict[int, socket.socket] = {}
while True:
    for descriptor, _ in ready.poll():
        if descriptor == listening.fileno():
            connection, _ = listening.accept()
            connections[connection.fileno()] = connection
            ready.register(connection, select.EPOLLIN)
            continue
        try:
            asked = connections[descriptor].recv(65536)
        except ConnectionError:
            asked = b""
        if asked:
            connections[descriptor].sendall(ANSWER * asked.count(b"\r\n\r\n"))
        else:
            ready.unregister(descriptor)
            connections.pop(descriptor).close()
