"""Send notifications to the SNS topic that the alarms use too."""

from isshoni.engine.notifications import Message, NotificationFault
from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.errors import AwsFault

_MAX_SUBJECT_CHARACTERS = 100
_KINDS = {None: "news", True: "good", False: "bad"}


class SnsNotifier:
    """A `Notifier` for one topic."""

    def __init__(self, api: AwsApi, topic_arn: str) -> None:
        self.name = f"sns:{topic_arn.rpartition(':')[2]}"
        self._api = api
        self._topic_arn = topic_arn

    async def send(self, message: Message) -> None:
        """Publish a message; raises `NotificationFault`."""
        # A subject must be one line of ASCII; the text has all of it.
        subject = message.title.encode("ascii", "replace").decode()[:_MAX_SUBJECT_CHARACTERS]
        attributes = {"occasion": message.occasion, "kind": _KINDS[message.good]}
        try:
            await self._api.call(
                "sns",
                "publish",
                TopicArn=self._topic_arn,
                Subject=" ".join(subject.split()),
                Message=f"{message.title}\n\n{message.body}",
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in attributes.items()
                },
            )
        except AwsFault as fault:
            raise NotificationFault(str(fault)) from None
