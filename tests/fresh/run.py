"""`make fresh`: what README says, on a bare Debian, in a container, as an ordinary user without a compiler.

Bare roots are made with mmdebstrap, so no registry of images is needed. The container sees this machine's proxy
settings and certificates, and nothing else of it. Only the standard library: it runs before anything is installed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".local" / "fresh"
ROOTS = {"bookworm": "Debian 12", "trixie": "Debian 13"}
PACKAGES = "python3,python3-venv,git,make,ca-certificates"
STEPS = {
    "demo": 'make demo DEMO="--factories 2160,1120" && make down',
    "natives": "make setup && .venv/bin/python -m embedded.natives",
    "test": "make test",
    "unit": "make setup && .venv/bin/python -m pytest tests/unit -q",
}
USUAL = ("demo", "natives", "test")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PASSED_ON = (
    "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "PIP_INDEX_URL", "UV_DEFAULT_INDEX",
)  # fmt: skip
ENGINES = ("podman", "docker")


def main() -> int:
    """Run the steps on each root, print and keep what came of them; 1 if one failed, 2 if none could be run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--roots", default=",".join(ROOTS), help=f"some of {','.join(ROOTS)}")
    parser.add_argument("--only", default=",".join(USUAL), help=f"some of {','.join(STEPS)}")
    parser.add_argument(
        "--network", help="the container's network, where the engine's own does not work: host"
    )
    arguments = parser.parse_args()
    roots, steps = arguments.roots.split(","), arguments.only.split(",")
    unknown = [*(set(roots) - set(ROOTS)), *(set(steps) - set(STEPS))]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}")
    engine = next((name for name in ENGINES if shutil.which(name)), None)
    lacking = [
        *([] if engine else ["a container engine (`sudo apt install podman`)"]),
        *([] if shutil.which("mmdebstrap") else ["mmdebstrap (`sudo apt install mmdebstrap`)"]),
    ]
    if engine is None or lacking:
        print(f"error: make fresh needs {' and '.join(lacking)}: nothing was tried", file=sys.stderr)
        return 2
    STATE.mkdir(parents=True, exist_ok=True)
    results = []
    for root in roots:
        image = base_image(engine, root)
        results += run(engine, image, root, steps, arguments.network)
    (STATE / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    print(f"\n{'root':<12}{'step':<9}{'result':<9}seconds")
    for result in results:
        print(f"{result['root']:<12}{result['step']:<9}{result['result']:<9}{result['seconds']:.0f}")
    print(f"logs: {STATE}")
    return int(any(result["result"] != "ok" for result in results))


def base_image(engine: str, root: str) -> str:
    """Return the name of the image of a bare root with an ordinary user; make it if it is not there."""
    image = f"fems-fresh:{root}"
    if subprocess.run([engine, "image", "inspect", image], capture_output=True, check=False).returncode == 0:
        return image
    archive = STATE / f"{root}.tar"
    print(f"{root}: a bare {ROOTS[root]} with {PACKAGES}", flush=True)
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}",
         '--customize-hook=chroot "$1" useradd --create-home --shell /bin/bash user', root, archive],
        check=True,
    )  # fmt: skip
    subprocess.run([engine, "import", archive, image], check=True, stdout=subprocess.DEVNULL)
    archive.unlink()
    return image


def run(engine: str, image: str, root: str, steps: list[str], network: str | None) -> list[dict[str, object]]:
    """Clone this repository's last commit in a container and take the steps; the output goes to a log a root."""
    bundle = STATE / "source"
    shutil.rmtree(bundle, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", "--bare", "--no-hardlinks", ROOT, bundle], check=True)
    name = f"fems-fresh-{root}-{os.getpid()}"
    arguments = [
        engine,
        "run",
        "--detach",
        "--rm",
        "--name",
        name,
        "--user",
        "user",
        "--workdir",
        "/home/user",
    ]
    arguments += ["--volume", f"{bundle}:/source:ro", "--shm-size", "256m", "--init"]
    arguments += ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096", "--env", "LANG=C.UTF-8"]
    arguments += ["--network", network] if network else []
    for variable in PASSED_ON:
        arguments += ["--env", variable] if variable in os.environ else []
    if CERTIFICATES.exists():
        arguments += ["--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro"]
        for variable in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
            arguments += ["--env", f"{variable}={CERTIFICATES}"]
    subprocess.run([*arguments, image, "sleep", "infinity"], check=True, stdout=subprocess.DEVNULL)
    results: list[dict[str, object]] = []
    try:
        with (STATE / f"{root}.log").open("w") as log:
            clone = "git config --global --add safe.directory /source && git clone --quiet /source fems"
            subprocess.run([engine, "exec", name, "bash", "-c", clone], check=True, stdout=log, stderr=log)
            for step in steps:
                print(f"{root}: {STEPS[step]}", flush=True)
                begun = time.monotonic()
                command = [engine, "exec", name, "bash", "-c", f"cd fems && {STEPS[step]}"]
                done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
                result = "ok" if done.returncode == 0 else f"ended {done.returncode}"
                seconds = round(time.monotonic() - begun, 1)
                results.append({"root": root, "step": step, "result": result, "seconds": seconds})
                print(f"{root}: {step} {result} after {seconds:.0f} s", flush=True)
                if done.returncode and step == "demo":
                    break
    finally:
        subprocess.run([engine, "rm", "--force", name], check=False, stdout=subprocess.DEVNULL)
    return results


if __name__ == "__main__":
    sys.exit(main())
