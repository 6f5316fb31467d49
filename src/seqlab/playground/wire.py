"""How events are sent: server-sent events, whose data is JSON."""

from __future__ import annotations

import json
from typing import Any

Event = dict[str, Any]


def sent(event: Event, model: str) -> bytes:
    """An event of a model, as it is sent."""
    content = json.dumps({**event, "model": model}, allow_nan=False)
    return f"event: {event['event']}\ndata: {content}\n\n".encode()
