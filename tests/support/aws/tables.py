"""The journal's table, made by hand where there is no Terraform."""

import uuid

from isshoni.environments.aws.api import AwsApi


def make_table(api: AwsApi, name: str = "") -> str:
    """Make a table as Terraform does; gives its name."""
    name = name or f"journal-{uuid.uuid4().hex[:8]}"
    api.call_now(
        "dynamodb",
        "create_table",
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
    )
    return name
