"""Hooks of schemathesis: every URL and server that it makes up leads to this machine, where the hub's guard lets nobody call. In: the
cases that it generates. Out: the same with other hosts."""

import json
from urllib.parse import urlsplit, urlunsplit

import schemathesis

SERVERS = {"server", "host", "subdomain", "homeserver"}


def local(value, name=None):
    if isinstance(value, dict):
        return {key: local(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [local(item) for item in value]
    if not isinstance(value, str):
        return value
    if name in SERVERS:
        return "127.0.0.1"
    try:
        url = urlsplit(value)
    except ValueError:
        return value
    if url.scheme.lower() in ("http", "https") and url.netloc:
        return urlunsplit(url._replace(netloc="127.0.0.1:9"))
    return value


@schemathesis.hook
def before_call(context, case, kwargs):
    case.body = local(case.body)
    case.query = local(case.query)


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    return value if isinstance(value, bytes) else (value if isinstance(value, str) else json.dumps(value)).encode()
