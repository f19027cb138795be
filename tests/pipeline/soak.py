"""Do the damage: kill, fill the disk, truncate, resume, and compare with an undisturbed run.

    python tests/pipeline/soak.py --rounds 9 --faults 4        (make soak)

The smoke grid runs in a copy of the project on a small disk in memory. In each round it starts from
nothing, faults strike it at random moments, and the documented command is called again until it
ends well. Then tables and assignments have to be, byte for byte, those of a run that nothing
disturbed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
from running import SMOKE, command, copy_project, products

# What a user types, first as after a fault.
COMMAND = command("all", "--cores", "2", "--configfile", SMOKE)
DISK_MEGABYTES = 400
MOST_ATTEMPTS = 8
FULL_SECONDS = 8


@dataclasses.dataclass
class Tally:
    """What happened in all rounds."""

    faults: Counter = dataclasses.field(default_factory=Counter)
    starts: int = 0
    resumed: int = 0
    set_aside: int = 0
    differences: list[str] = dataclasses.field(default_factory=list)


class Pipeline:
    """The documented command at work in a folder."""

    def __init__(self, folder: Path, tally: Tally):
        self.folder, self.tally = folder, tally
        self.process: subprocess.Popen | None = None
        self.log = folder.with_name("soak.log")

    def start(self) -> None:
        """Call the command, unless it is at work."""
        if self.process is not None and self.process.poll() is None:
            return
        self.tally.starts += 1
        # States every now and then, so that trainings of a second have some to go on from.
        environment = {**os.environ, "GMVAE_CHECKPOINT_SECONDS": "0.2"}
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(
                COMMAND,
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def finish(self) -> None:
        """Call the command until it ends well; more often than ever needed is a failure."""
        for _ in range(MOST_ATTEMPTS):
            self.start()
            assert self.process is not None
            if self.process.wait() == 0:
                return
        raise SystemExit(f"{MOST_ATTEMPTS} calls and the grid is not done; see {self.log}")

    def trainings(self) -> list[psutil.Process]:
        """Training processes in the folder, orphans included."""
        found = []
        for process in psutil.process_iter(["cmdline", "cwd"]):
            words = process.info["cmdline"] or []
            if process.info["cwd"] == str(self.folder) and "train" in words[:5]:
                found.append(process)
        return found

    def products(self) -> list[Path]:
        """Finished outputs, by the lists that their jobs left."""
        lists = [*self.folder.glob("data/*/*.sha256"), *self.folder.rglob("results/**/*.sha256")]
        named = [
            path.parent / line.split("  ", 1)[1]
            for path in lists
            for line in path.read_text().splitlines()
            if not line.startswith("#")
        ]
        return sorted(path for path in named if path.is_file() and path.stat().st_size)


def kill_a_training(pipeline: Pipeline, chance: random.Random) -> bool:
    """Kill -9 one training process, as the system does when memory runs out."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = pipeline.trainings()
        if found:
            time.sleep(chance.uniform(0, 2.5))
            with contextlib.suppress(psutil.NoSuchProcess):
                chance.choice(found).kill()
                return True
        pipeline.start()
        time.sleep(0.02)
    return False


def kill_the_pipeline(pipeline: Pipeline, chance: random.Random) -> bool:
    """Kill -9 Snakemake with all of its jobs, or alone, so that its jobs go on as orphans."""
    assert pipeline.process is not None
    if pipeline.process.poll() is not None:
        return False
    with contextlib.suppress(ProcessLookupError):
        if chance.random() < 0.7:
            os.killpg(pipeline.process.pid, signal.SIGKILL)
        else:
            os.kill(pipeline.process.pid, signal.SIGKILL)
    return pipeline.process.wait() == -signal.SIGKILL


def fill_the_disk(pipeline: Pipeline, chance: random.Random) -> bool:
    """Leave no byte free for some seconds."""
    assert pipeline.process is not None
    struck = pipeline.process.poll() is None
    filler = pipeline.folder.with_name("filler")
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
    with contextlib.suppress(OSError), open(filler, "ab", buffering=0) as file:
        while True:
            file.write(b"x")
    time.sleep(chance.uniform(FULL_SECONDS / 2, FULL_SECONDS))
    filler.unlink()
    return struck


def truncate_a_product(pipeline: Pipeline, chance: random.Random) -> bool:
    """Cut a random finished output short."""
    deadline = time.monotonic() + 60
    while not (found := pipeline.products()) and time.monotonic() < deadline:
        pipeline.start()
        time.sleep(0.2)
    path = chance.choice(found)
    os.truncate(path, chance.randrange(path.stat().st_size))
    return True


KINDS = (kill_a_training, kill_the_pipeline, fill_the_disk, truncate_a_product)


def play_round(folder: Path, faults: list, chance: random.Random, tally: Tally) -> None:
    """Run the grid from nothing through faults at random moments, to its end."""
    for name in ("results", "data", ".snakemake"):
        shutil.rmtree(folder / name, ignore_errors=True)
    pipeline = Pipeline(folder, tally)
    for fault in faults:
        struck = False
        while not struck:  # what hit nothing does not count
            pipeline.start()
            time.sleep(chance.uniform(2, 18))
            struck = fault(pipeline, chance)
        tally.faults[fault.__name__] += 1
        print(f"  {fault.__name__.replace('_', ' ')}", flush=True)
    pipeline.finish()
    # A product that was truncated while the last call was at work is found by the next one.
    pipeline.finish()
    tally.set_aside += len(list(folder.rglob("*.damaged")))
    for path in folder.rglob("run.json"):
        tally.resumed += json.loads(path.read_text())["resumed"] > 0


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    """A folder on a file system of its own, in memory."""
    folder = Path(tempfile.mkdtemp(prefix="gmvae-soak-")).resolve()
    size = f"size={DISK_MEGABYTES}m"
    mount = ["mount", "-t", "tmpfs", "-o", size, "none", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        folder.rmdir()
        if "GMVAE_SOAK_INSIDE" in os.environ or shutil.which("unshare") is None:
            raise SystemExit("a small disk cannot be made: neither by mount nor by unshare (Linux)")
        os.environ["GMVAE_SOAK_INSIDE"] = "1"
        inside = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, *sys.argv]
        os.execvp(inside[0], inside)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)
        folder.rmdir()


def main() -> int:
    """Play all rounds and print the tally; 1 if there is a difference."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--faults", type=int, default=4, help="in each round")
    parser.add_argument(
        "--seed", type=int, help="of kinds and moments; by default another each time"
    )
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    chance, tally, started = random.Random(seed), Tally(), time.monotonic()
    print(f"{options.rounds} rounds of {options.faults} faults, seed {seed}", flush=True)
    kinds: list = []
    with small_disk() as disk:
        folder = copy_project(disk / "project")
        Pipeline(folder, Tally()).finish()
        expected = products(folder)
        print(f"undisturbed run: {len(expected)} files to compare", flush=True)
        for number in range(1, options.rounds + 1):
            faults = []
            for _ in range(options.faults):
                kinds = kinds or chance.sample(KINDS, len(KINDS))
                faults.append(kinds.pop())
            print(f"round {number}", flush=True)
            play_round(folder, faults, chance, tally)
            found = products(folder)
            different = [n for n in {*expected, *found} if expected.get(n) != found.get(n)]
            tally.differences += [f"round {number}: {name}" for name in sorted(different)]
            print(f"  differences: {len(different)}", flush=True)
            if different:
                shutil.copytree(folder, tempfile.mkdtemp() + "/project")
    minutes = (time.monotonic() - started) / 60
    print(f"rounds {options.rounds}, faults {sum(tally.faults.values())}, {minutes:.0f} minutes")
    for name, count in sorted(tally.faults.items()):
        print(f"  {name.replace('_', ' ')}: {count}")
    print(f"calls of the command: {tally.starts}")
    print(f"runs that went on from a checkpoint: {tally.resumed}")
    print(f"damaged files set aside: {tally.set_aside}")
    print("\n".join([f"differences: {len(tally.differences)}", *tally.differences]))
    return 1 if tally.differences else 0


if __name__ == "__main__":
    sys.exit(main())
