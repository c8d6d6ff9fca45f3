"""The image of the Dockerfile, its base, and stand-ins for the images that cannot be pulled."""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine import ROOT, STATE, Engine, Failure

COMPOSE_FILE = ROOT / "docker-compose.yaml"
BASE_PACKAGES = "python3,python3-pip,python3-venv,ca-certificates,netbase,tzdata"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

Say = Callable[[str], None]


def build(engine: Engine, services: Mapping[str, Mapping[str, Any]], say: Say) -> None:
    """Build the image from the Dockerfile, and stand-ins for the images that cannot be had; say what each is.

    Args:
        engine: gets the files that compose reads: the project's, and one that names the stand-ins.
        services: of the compose file.
        say: told what is built on what.

    Raises:
        Failure: it cannot be built.
    """
    import yaml

    ours = services["api-server"]["image"]
    base = re.findall(r"^ARG BASE=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0]
    if engine.can_pull(base):
        on = base
    else:
        base = _made_base(engine)
        on = f"{base} (Debian 12 with its Python, made here: no registry is reached)"
    say(f"base image: {on}")
    network = ["--format", "docker", "--network", "host"] if engine.name == "podman" else []
    options = [*network, "--build-arg", f"BASE={base}", "--tag", ours]
    engine.run("build", *options, ".", timeout=3600)
    natives = engine.run("run", "--rm", "--network", "none", ours, "python", "natives.py")
    say(f"image {ours}: {natives.strip().splitlines()[-1]}")
    override: dict[str, dict[str, str]] = {}
    for service, spec in services.items():
        image = spec["image"]
        if image == ours:
            continue
        target = "minio" if "minio" in image else "postgres"
        if not engine.can_pull(image):
            standin = f"localhost/fems-standin-{target}:latest"
            engine.run(
                "build", "--target", target, "--build-arg", f"IMAGE={ours}", "--tag", standin,
                "tests/containers/standins",
            )  # fmt: skip
            override[service] = {"image": standin}
            image = f"{standin} (a stand-in for {image})"
        say(f"{service}: {image}")
    path = STATE / "override.yaml"
    path.write_text(yaml.safe_dump({"services": override}))
    engine.files = [str(COMPOSE_FILE), str(path)]


def _made_base(engine: Engine) -> str:
    """Make a base image as python:slim is one, from Debian's packages."""
    if not shutil.which("mmdebstrap"):
        raise Failure(
            "the base image cannot be pulled, and mmdebstrap (`sudo apt install mmdebstrap`) is not here"
        )
    name, archive = "localhost/fems-base:bookworm", STATE / "base.tar"
    if engine.run("image", "inspect", name, check=False):
        return name
    hooks = [
        'rm -f "$1"/usr/lib/python3.11/EXTERNALLY-MANAGED',
        'ln -s /usr/bin/python3 "$1"/usr/local/bin/python',
        *([f"copy-in {CERTIFICATES} {CERTIFICATES.parent}"] if CERTIFICATES.exists() else []),
    ]
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={BASE_PACKAGES}",
         *(f"--customize-hook={hook}" for hook in hooks), "bookworm", archive],
        check=True,
    )  # fmt: skip
    paths = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
    changes = [f"ENV PATH={paths}", "ENV LANG=C.UTF-8"]
    changes += [f"ENV {name}={CERTIFICATES}" for name in ("SSL_CERT_FILE", "PIP_CERT")]
    engine.run("import", *(word for change in changes for word in ("--change", change)), str(archive), name)
    archive.unlink()
    return name
