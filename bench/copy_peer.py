"""Answers just enough of Docker's API for `docker cp` of one file, both ways: what comes is thrown away, what goes is ready.

    copy_peer.py SOCKET BYTES    listens there, and prints a line when it does; BYTES is the size of the file that goes
"""

import base64
import json
import socket
import sys
import tarfile

NAME = "big"
PIECE = 512 * 1024
LAST_CHUNK = b"\r\n0\r\n\r\n"
DIRECTORY_MODE, FILE_MODE = 2147484141, 420  # Go's, of drwxr-xr-x and -rw-r--r--


def stat_header(name, size, mode):
    stat = {"name": name, "size": size, "mode": mode, "mtime": "2026-01-01T00:00:00Z", "linkTarget": ""}
    return "X-Docker-Container-Path-Stat: " + base64.b64encode(json.dumps(stat).encode()).decode() + "\r\n"


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def throw_away(client, begun):
    """Reads a chunked body to its end, knowing that nothing follows it before the answer."""
    buffer = bytearray(1 << 20)
    tail = begun[-len(LAST_CHUNK):]
    while tail != LAST_CHUNK:
        count = client.recv_into(buffer)
        if count == 0:
            return
        tail = (tail + bytes(buffer[max(0, count - len(LAST_CHUNK)):count]))[-len(LAST_CHUNK):]


def send_tar(client, size):
    """A file of so many bytes, a multiple of PIECE, as a chunked tar."""
    member = tarfile.TarInfo(NAME)
    member.size = size
    head = member.tobuf(tarfile.USTAR_FORMAT)
    client.sendall(b"Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(head))
    piece = chunk(b"x" * PIECE)
    for _ in range(size // PIECE):
        client.sendall(piece)
    client.sendall(chunk(bytes(2 * tarfile.BLOCKSIZE)) + LAST_CHUNK[2:])


def answer(client, line, begun, size):
    method = line.split()[0]
    archive = b"/archive?" in line
    if method == b"PUT":
        throw_away(client, begun)
    stat = ""
    if archive and method != b"PUT":
        # The file is what is taken out, the root what is put into.
        taken_out = b"path=" + NAME.encode() in line or b"path=%2F" + NAME.encode() in line
        stat = stat_header(NAME, size, FILE_MODE) if taken_out else stat_header("/", 4096, DIRECTORY_MODE)
    client.sendall(f"HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\n{stat}".encode())
    if archive and method == b"GET":
        send_tar(client, size)
    else:
        client.sendall(b"Content-Length: 0\r\n\r\n")


def serve(client, size):
    received = b""
    while True:
        while b"\r\n\r\n" not in received:
            got = client.recv(65536)
            if not got:
                return
            received += got
        head, _, received = received.partition(b"\r\n\r\n")
        line = head.split(b"\r\n")[0]
        answer(client, line, received, size)
        if line.startswith(b"PUT "):
            received = b""


def main():
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen()
        print("listening", flush=True)
        while True:
            client, _ = listener.accept()
            with client:
                serve(client, int(sys.argv[2]))


if __name__ == "__main__":
    main()
