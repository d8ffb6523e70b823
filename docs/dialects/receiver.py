"""A receiver to try hooks with: prints each request that arrives, and answers 204. Its argument is the port."""

import http.server
import sys


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print(f"POST {self.path}\n{self.headers}{body.decode()}", flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


port = int(sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Receiver)
print(f"receiving at http://127.0.0.1:{port}/", flush=True)
server.serve_forever()
