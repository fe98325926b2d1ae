"""A Django Channels chat, the tutorial's consumer, with channels-redis.

`uvicorn channels_chat:app`, with REDIS_URL set. Settings: the publish/subscribe layer (the faster
of the two), a capacity that loses nothing at the rates measured.
"""

import os
from typing import Any

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="benchmark",
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [os.environ["REDIS_URL"]]},
        }
    },
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402


class Chat(AsyncWebsocketConsumer):
    """One client of a room."""

    async def connect(self) -> None:
        """Join the room of the path."""
        self.room = self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()
        await self.send(text_data='{"joined":true}')

    async def disconnect(self, code: int) -> None:
        """Leave the room."""
        await self.channel_layer.group_discard(self.room, self.channel_name)

    async def receive(self, text_data: str = "", bytes_data: bytes | None = None) -> None:
        """Send a text to the room."""
        await self.channel_layer.group_send(self.room, {"type": "chat", "text": text_data})

    async def chat(self, event: dict[str, Any]) -> None:
        """Send this client what came for its room."""
        await self.send(text_data=event["text"])


async def _http(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


app = ProtocolTypeRouter(
    {"websocket": URLRouter([path("ws/<str:room>", Chat.as_asgi())]), "http": _http}
)
