"""A subscriber made of Flask-WebSub: subscribes to a topic at a hub, prints what it gets, leaves when told so.

Usage: flask_subscriber.py HUB TOPIC (in a folder that it may write to)
"""

import sys
import threading

from flask import Flask
from flask_websub.subscriber import (
    SQLite3SubscriberStorage,
    SQLite3TempSubscriberStorage,
    Subscriber,
)
from werkzeug.serving import make_server


def say(text):
    print(text, flush=True)


hub, topic = sys.argv[1:]
app = Flask(__name__)
subscriber = Subscriber(
    SQLite3SubscriberStorage("subscriber.db"),
    SQLite3TempSubscriberStorage("subscriber.db"),
)
app.register_blueprint(subscriber.build_blueprint(url_prefix="/callbacks"))
subscriber.add_success_handler(lambda topic, callback, mode: say(mode + "d"))
subscriber.add_error_handler(lambda topic, callback, reason: say("denied: " + reason))
subscriber.add_listener(lambda topic, callback, body: say("got " + body.hex()))

server = make_server("127.0.0.1", 0, app, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()

with app.test_request_context(base_url=f"http://127.0.0.1:{server.server_port}"):
    callback = subscriber.subscribe(topic_url=topic, hub_url=hub)
    for line in sys.stdin:
        if line.strip() == "leave":
            subscriber.unsubscribe(callback)
