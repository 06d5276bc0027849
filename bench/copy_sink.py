"""Answers just enough of Docker's API for `docker cp FILE CONTAINER:PATH`, and throws the file away.

    copy_sink.py SOCKET    listens there, and prints a line when it does
"""

import base64
import json
import socket
import sys

DIRECTORY = {"name": "/", "size": 4096, "mode": 2147484141, "mtime": "2026-01-01T00:00:00Z", "linkTarget": ""}
STAT = "X-Docker-Container-Path-Stat: " + base64.b64encode(json.dumps(DIRECTORY).encode()).decode() + "\r\n"
LAST_CHUNK = b"\r\n0\r\n\r\n"


def throw_away(client, begun):
    """Reads a chunked body to its end, knowing that nothing follows it before the answer."""
    buffer = bytearray(1 << 20)
    tail = begun[-len(LAST_CHUNK):]
    while tail != LAST_CHUNK:
        count = client.recv_into(buffer)
        if count == 0:
            return
        tail = (tail + bytes(buffer[max(0, count - len(LAST_CHUNK)):count]))[-len(LAST_CHUNK):]


def serve(client):
    received = b""
    while True:
        while b"\r\n\r\n" not in received:
            got = client.recv(65536)
            if not got:
                return
            received += got
        head, _, received = received.partition(b"\r\n\r\n")
        if head.startswith(b"PUT "):
            throw_away(client, received)
            received = b""
        extra = STAT if b"/archive?" in head.split(b"\r\n")[0] and head.startswith(b"HEAD ") else ""
        client.sendall(f"HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\n{extra}Content-Length: 0\r\n\r\n".encode())


def main():
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen()
        print("listening", flush=True)
        while True:
            client, _ = listener.accept()
            with client:
                serve(client)


if __name__ == "__main__":
    main()
