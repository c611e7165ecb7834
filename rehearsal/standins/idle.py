"""A stand-in for a program that is not installed: answers every request with 200.

As a program: `python -m rehearsal.standins.idle --listen PORT`.
"""

import argparse
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER = b"idle\n"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", type=int, required=True, help="the port to listen on, on the loopback address")
    ThreadingHTTPServer(("127.0.0.1", parser.parse_args().listen), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
