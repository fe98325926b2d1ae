"""Terraform's state where `bootstrap` puts it: copied, and locked while somebody is at it."""

import json
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.support.terraform.applied import make_client
from tests.support.terraform.composition import ACCOUNT, Composition
from tests.support.terraform.program import own_environment

pytestmark = [pytest.mark.timeout(300), pytest.mark.spec("D3")]

_ROOT = Path(__file__).parents[2]
BUCKET = f"isshoni-state-{ACCOUNT}"
KEY = "staging/ground.tfstate"
KMS_KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/isshoni-state"
_LOCK = {"ID": "6f1c2f0e", "Operation": "OperationTypeApply", "Who": "somebody@elsewhere"}


class Guide:
    """A clone in which the guide's steps 2 and 3 are typed as they are written there."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.endpoint = endpoint
        self.bootstrap, self.staging = (
            Composition(name, folder / "infrastructure", endpoint)
            for name in ("bootstrap", "staging")
        )
        for each in (self.bootstrap, self.staging):
            each.limit_retries()
        self.bootstrap.leave_out_lifecycles()
        text = (_ROOT / "docs" / "aws.md").read_text()
        part = text[text.index("2. **A place for state") : text.index("4. **An image.**")]
        blocks = re.findall(r"(?m)(?:^ {7}.*\n)+", part)
        self.places, self.migration, self.ground = map(textwrap.dedent, blocks)

    def type(self, block: str, answer: str, folder: Path) -> tuple[int, str]:
        """Type the commands of a block in a folder, with one answer to what they ask."""
        environ = {**own_environment(), **self.bootstrap.environment, "TF_VAR_emulator": "true"}
        del environ["TF_IN_AUTOMATION"]  # it would not ask, as it does at a terminal
        done = subprocess.run(
            ["bash", "-c", block], cwd=folder, env=environ, input=f"{answer}\n",
            capture_output=True, text=True,
        )  # fmt: skip
        return done.returncode, re.sub(r"\x1b\[\d*m", "", done.stdout + done.stderr)


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory, terraform_endpoint: str) -> Guide:
    """Return a clone in which both steps were typed, with `no` to the apply of the ground."""
    folder = tmp_path_factory.mktemp("clone")
    guide = Guide(folder, terraform_endpoint)
    code, said = guide.type(guide.places, "yes", folder)
    assert (code, "Apply complete!" in said) == (0, True), said
    # The server overlooks conditions: to it the refusal of plain text refuses everything.
    make_client("s3", terraform_endpoint).delete_bucket_policy(Bucket=BUCKET)
    code, said = guide.type(guide.ground, "no", guide.bootstrap.folder)
    assert "Terraform has been successfully initialized" in said, said
    assert re.search(r"Plan: \d{3} to add, 0 to change, 0 to destroy", said), said
    assert (code, "Apply cancelled" in said) == (1, True), said
    return guide


@pytest.fixture(scope="module")
def s3(guide: Guide) -> Any:
    """Return the store, with what `bootstrap` makes in it."""
    return make_client("s3", guide.endpoint)


@pytest.fixture(scope="module")
def staging(guide: Guide) -> Composition:
    """Return staging, with its state in the bucket."""
    return guide.staging


def test_state_of_the_bootstrap_moves_into_its_own_bucket_by_the_guide(
    s3: Any, guide: Guide
) -> None:
    code, said = guide.type(guide.migration, "yes", guide.bootstrap.folder)
    assert code == 0, said
    written = s3.get_object(Bucket=BUCKET, Key="bootstrap.tfstate")
    assert "aws_s3_bucket" in written["Body"].read().decode()
    assert (written["ServerSideEncryption"], written["SSEKMSKeyId"]) == ("aws:kms", KMS_KEY)


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
