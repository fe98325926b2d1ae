"""Settings of the tutorial's project, without what the chat does not need (a database, users)."""

import os

SECRET_KEY = "change this in a real project"  # noqa: S105
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
INSTALLED_APPS = ["daphne", "channels", "chat"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
ROOT_URLCONF = "mysite.urls"
ASGI_APPLICATION = "mysite.asgi.application"
USE_TZ = True
# The layer waits 5 s for a message, which is just when redis-py 8 ends a read with an error.
REDIS = {"address": os.environ.get("REDIS_URL", "redis://localhost"), "socket_timeout": None}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [REDIS]},
    },
}
