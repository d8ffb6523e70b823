"""Receivers made of PyPI packages. In: questions, each a line of JSON with `ask` and what it needs; a delivery has `headers` (names
in lower case) and `body` (base64). Out: for each a line {"accepted": value}, {"refused": reason}, or {"broken": stack} when the
package did not decide.
"""

import base64
import json
import sys
import traceback

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from gidgethub import ValidationFailure
from gidgethub.sansio import Event
from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def gidgethub(secret, headers, body):
    event = Event.from_http(headers, body, secret=secret)
    return {"event": event.event, "delivery_id": event.delivery_id, "data": event.data}


def standardwebhooks(secret, headers, body):
    webhook = Webhook(secret if secret.startswith("whsec_") else secret.encode())
    is_json = headers["content-type"] == "application/json"
    webhook.verify(body, headers, json_parse=is_json)
    return True


def v1a(secret, headers, body):
    key = base64.b64decode(secret.removeprefix("whpk_"), validate=True)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    signatures = [given.split(",", 1) for given in headers.get("webhook-signature", "").split()]
    signatures = [base64.b64decode(given) for version, given in signatures if version == "v1a"]
    if len(signatures) != 1:
        raise InvalidSignature(f"{len(signatures)} signatures of v1a")
    Ed25519PublicKey.from_public_bytes(key).verify(signatures[0], signed)
    return True


ASKS = {"gidgethub": gidgethub, "standardwebhooks": standardwebhooks, "v1a": v1a}

for line in sys.stdin:
    question = json.loads(line)
    ask = ASKS[question.pop("ask")]
    question["body"] = base64.b64decode(question["body"])
    try:
        answer = {"accepted": ask(**question)}
    except (InvalidSignature, ValidationFailure, WebhookVerificationError) as error:
        answer = {"refused": str(error)}
    except Exception:
        answer = {"broken": traceback.format_exc()}
    print(json.dumps(answer), flush=True)
