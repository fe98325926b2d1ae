"""Terraform's state where `bootstrap` puts it: copied, and locked while somebody is at it."""

import json
from typing import Any

import pytest

from tests.infrastructure.conftest import MakeComposition
from tests.support.terraform.applied import make_client
from tests.support.terraform.composition import ACCOUNT, Composition

pytestmark = [pytest.mark.timeout(300), pytest.mark.spec("D3")]

BUCKET = f"isshoni-state-{ACCOUNT}"
KEY = "staging/ground.tfstate"
KMS_KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/isshoni-state"
_LOCK = {"ID": "6f1c2f0e", "Operation": "OperationTypeApply", "Who": "somebody@elsewhere"}


@pytest.fixture(scope="module")
def s3(make_composition: MakeComposition, terraform_endpoint: str) -> Any:
    """Give the store, with what `bootstrap` makes in it."""
    bootstrap = make_composition("bootstrap")
    bootstrap.leave_out_lifecycles()
    bootstrap.write_variables()
    bootstrap.must("apply", "-auto-approve", "-input=false", "-no-color")
    s3 = make_client("s3", terraform_endpoint)
    # The server overlooks conditions: to it the refusal of plain text refuses everything.
    s3.delete_bucket_policy(Bucket=BUCKET)
    return s3


@pytest.fixture(scope="module")
def staging(s3: Any, make_composition: MakeComposition) -> Composition:
    """Give staging, with its state in the bucket."""
    staging = make_composition("staging")
    (staging.folder / "test_override.tf").unlink()
    # Without the key of KMS the backend writes AES256, whatever the bucket's default is.
    where = (f"bucket={BUCKET}", "region=eu-west-1", f"kms_key_id={KMS_KEY}")
    staging.must("init", "-reconfigure", *(f"-backend-config={setting}" for setting in where))
    return staging


def test_a_state_is_written_encrypted_with_versions_and_a_copy(
    s3: Any, staging: Composition
) -> None:
    empty = {"version": 4, "serial": 1, "lineage": "a", "resources": [], "outputs": {}}
    (staging.folder / "empty.json").write_text(json.dumps(empty))
    staging.must("state", "push", "empty.json")
    written = s3.head_object(Bucket=BUCKET, Key=KEY)
    assert (written["ServerSideEncryption"], written["SSEKMSKeyId"]) == ("aws:kms", KMS_KEY)
    assert written["VersionId"] != "null"
    (rule,) = s3.get_bucket_replication(Bucket=BUCKET)["ReplicationConfiguration"]["Rules"]
    assert rule["Destination"]["Bucket"].endswith(f":isshoni-state-replica-{ACCOUNT}")


def test_nobody_gets_at_a_state_that_somebody_has_locked(s3: Any, staging: Composition) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"{KEY}.tflock", Body=json.dumps(_LOCK))
    done = staging.run("state", "push", "empty.json")
    assert done.code == 1
    assert "Error acquiring the state lock" in done.err
    assert "somebody@elsewhere" in done.err
    s3.delete_object(Bucket=BUCKET, Key=f"{KEY}.tflock")
