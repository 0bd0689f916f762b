"""What `deploy/` says holds: manifests under Kubernetes' own schemas, settings and commands that there are.

Nothing is built or applied here: that takes a Docker daemon and a cluster.
"""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from persona import config
from persona.cli.serve import serve
from persona.server import run
from persona.server.metrics import Metrics
from persona.server.turnstile import Turnstile

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
OLDEST = "1.30"
"""The first version with everything that the manifests ask for (sidecars, `preStop.sleep`)."""
CUSTOM = {"ScaledObject", "InterceptorRoute", "PodMonitor"}
"""Kinds that others define, so that no schema of Kubernetes is there."""
NO_SETTINGS = {"PERSONA_HOME", run.TOKEN}


def manifests() -> list[dict[str, Any]]:
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return [found for file in files for found in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [found for found in manifests() if found["kind"] == kind]


def named(kind: str, name: str) -> dict[str, Any]:
    return next(found for found in of_kind(kind) if found["metadata"]["name"] == name)


def pods() -> list[dict[str, Any]]:
    return [deployment["spec"]["template"] for deployment in of_kind("Deployment")]


def containers() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every container with its pod."""
    for pod in pods():
        for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
            yield pod, container


def compose() -> dict[str, Any]:
    """The Compose file, with the defaults that it gives to variables."""
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{\w+:[-?]([^}]*)\}", r"\1", text))
    return loaded


def dockerfile() -> list[list[str]]:
    """Its instructions, each with its words."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]


def said(instruction: str) -> list[str]:
    return [rest for name, rest in dockerfile() if name == instruction]


def served(arguments: list[str]) -> dict[str, Any]:
    """What `persona` makes of a container's arguments."""
    assert arguments[0] == "serve"
    return serve.make_context("serve", arguments[1:]).params


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
def test_manifests_hold_under_the_schemas_of_kubernetes(version: str) -> None:
    unknown = set()
    for manifest in manifests():
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            unknown.add(manifest["kind"])
    assert unknown == CUSTOM


def test_the_validator_sees_what_is_wrong() -> None:
    wrong = named("Deployment", "persona")
    wrong["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["periodSecond"] = 5
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, OLDEST, strict=True)


def test_what_manifests_name_is_there() -> None:
    for deployment in of_kind("Deployment"):
        chosen = deployment["spec"]["selector"]["matchLabels"]
        assert chosen.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    for service in of_kind("Service"):
        chosen, wanted = service["spec"]["selector"], service["spec"]["ports"][0]
        (pod,) = [pod for pod in pods() if chosen.items() <= pod["metadata"]["labels"].items()]
        assert wanted["targetPort"] in {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    claims = {claim["metadata"]["name"] for claim in of_kind("PersistentVolumeClaim")}
    for pod, container in containers():
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} <= set(volumes)
        asked = {
            v["persistentVolumeClaim"]["claimName"] for v in volumes.values() if "persistentVolumeClaim" in v
        }
        assert asked <= claims
        for variable in container.get("env", []):
            if "valueFrom" in variable:
                reference = variable["valueFrom"]["secretKeyRef"]
                assert reference["key"] in named("Secret", reference["name"])["stringData"]


def test_custom_resources_point_at_what_is_there() -> None:
    scaled = {found["spec"]["scaleTargetRef"]["name"]: found["spec"] for found in of_kind("ScaledObject")}
    assert set(scaled) == {deployment["metadata"]["name"] for deployment in of_kind("Deployment")}
    # one volume, one writer: a second pod of a twin would not start
    assert scaled["persona"]["maxReplicaCount"] == named("Deployment", "persona")["spec"]["replicas"] == 1
    assert "replicas" not in named("Deployment", "persona-pool")["spec"]
    (route,) = of_kind("InterceptorRoute")
    assert scaled["persona"]["triggers"][0]["metadata"]["interceptorRoute"] == route["metadata"]["name"]
    target = route["spec"]["target"]
    assert target["port"] == named("Service", target["service"])["spec"]["ports"][0]["port"]
    (monitor,) = of_kind("PodMonitor")
    for pod in pods():
        assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] == "http"
    key = endpoint["authorization"]["credentials"]
    assert key["key"] in named("Secret", key["name"])["stringData"]


def test_it_is_scaled_by_figures_that_the_server_has() -> None:
    scaling = next(found for found in of_kind("ScaledObject") if found["metadata"]["name"] == "persona-pool")
    (trigger,) = scaling["spec"]["triggers"]
    asked = set(re.findall(r"persona_\w+", trigger["metadata"]["query"]))
    shown = set(re.findall(r"^persona_\w+", Metrics(Turnstile(1, 1)).page().decode(), re.MULTILINE))
    assert asked
    assert asked <= shown


def test_every_pod_is_bounded_and_has_no_rights() -> None:
    user = int(said("USER")[-1].split(":")[0])
    assert user > 0
    for pod, container in containers():
        assert pod["spec"]["securityContext"]["runAsUser"] == user
        assert not pod["spec"]["automountServiceAccountToken"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        if container["name"] == "persona":
            probes = [container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")]
            assert probes == [{"path": "/health", "port": "http"}] * 3
    (policy,) = of_kind("NetworkPolicy")
    assert policy["spec"]["egress"] == []
    assert "Egress" in policy["spec"]["policyTypes"]


def test_the_token_that_is_shipped_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(run.TOKEN, named("Secret", "persona-token")["stringData"]["token"])
    with pytest.raises(Exception, match="there is no token"):
        run.token_for("0.0.0.0")


def test_commands_and_ports_are_ones_that_serve_has() -> None:
    exposed = int(said("EXPOSE")[0])
    assert json.loads(said("ENTRYPOINT")[0]) == ["persona"]
    assert served(json.loads(said("CMD")[-1]))["port"] == exposed
    for _, container in containers():
        if container["name"] == "persona":
            asked = served(container["args"])
            assert asked["port"] == container["ports"][0]["containerPort"] == exposed
            assert asked["host"] == "0.0.0.0"
    published = [port for service in compose()["services"].values() for port in service.get("ports", [])]
    assert published == [f"127.0.0.1:{exposed}:{exposed}"]


def test_chroma_is_started_with_options_it_has_and_only_on_loopback() -> None:
    starts = [c["args"] for _, c in containers() if c["name"] == "chroma"]
    starts.append(compose()["services"]["chroma"]["command"])
    command = Path(sys.executable).with_name("chroma")
    told = subprocess.run([command, "run", "--help"], capture_output=True, text=True, timeout=60).stdout
    for start in starts:
        options = dict(zip(start[1::2], start[2::2], strict=True))
        assert start[0] == "run"
        assert all(option in told for option in options)
        assert f"http://{options['--host']}:{options['--port']}" == "http://127.0.0.1:8000"


def test_settings_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = [{e["name"]: e.get("value", "") for e in c.get("env", [])} for _, c in containers()]
    sets += [service.get("environment", {}) for service in compose()["services"].values()]
    sets.append(dict(pair.split("=", 1) for line in said("ENV") for pair in shlex.split(line)))
    for variables in sets:
        ours = {n: v for n, v in variables.items() if n.startswith("PERSONA_") and n not in NO_SETTINGS}
        with monkeypatch.context() as patch:
            for name, value in ours.items():
                assert "__" in name
                patch.setenv(name, value)
            shown = {row.where for row in config.show() if row.source == "environment"}
        assert shown == set(ours)


def test_the_compose_file_holds_under_its_own_schema() -> None:
    check = Path(sys.executable).with_name("check-jsonschema")
    command = [check, "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
    services = compose()["services"]
    home = said("VOLUME")[0]
    for service in services.values():
        assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        assert service["read_only"]
        # a volume anywhere else would be root's
        assert [volume.split(":")[1] for volume in service["volumes"]] == [home]
    assert services["persona"]["network_mode"] == "service:chroma"


def test_the_image_is_made_of_what_is_there() -> None:
    sources = [word for line in said("COPY") if "--from" not in line for word in line.split()[:-1]]
    assert all((ROOT / source).exists() for source in sources)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == set(sources)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    assert set(wheel) <= set(sources), "the wheel holds what is not copied"
    asked = re.findall(r'"((?:torch|llama-cpp-python)[<>=].*?)"', " ".join(said("RUN")))
    assert len(asked) == 2
    assert set(asked) <= set(project["project"]["dependencies"])
