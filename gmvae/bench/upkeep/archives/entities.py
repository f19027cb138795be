"""Entities of a crate: workflow, steps, tools, runs, data, machines.

Terms are those of schema.org, RO-Crate 1.1 and the Workflow Run profiles (Leo et al., PLOS ONE 19,
2024, doi:10.1371/journal.pone.0309210).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmvae.bench.disk import files
from gmvae.bench.grid.runs import Run
from gmvae.bench.grid.sources import is_own
from gmvae.bench.runs.record import Record

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

TERMS = "https://w3id.org/ro/terms/workflow-run/context"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
LICENCE = "https://spdx.org/licenses/MIT"
AUTHORS = "The GMVAE benchmark authors"
RESULTS = (".csv", ".md", ".png")
CONFIG, OUTPUTS = "config.json", ("assignments.npz", "runs.jsonl")
FORMATS = {
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".npz": "application/zip",
    ".png": "image/png",
    ".cff": "text/yaml",
}
STATUS = {
    True: "http://schema.org/CompletedActionStatus",
    False: "http://schema.org/FailedActionStatus",
}
USED = (
    ("train_seconds", "https://schema.org/totalTime", "https://qudt.org/vocab/unit/SEC"),
    (
        "peak_memory_mb",
        "https://schema.org/memoryRequirements",
        "https://qudt.org/vocab/unit/MegaBYTE",
    ),
)
"""Values of a record, their meanings and units."""
TYPES = {bool: "Boolean", int: "Integer", float: "Float"}


class Entities:
    """Adds the entities of a grid to a crate.

    Parameters
    ----------
    crate : ROCrate
    records : sequence of Record
        Those of all runs.
    """

    def __init__(self, crate: ROCrate, records: Sequence[Record]):
        self.crate, self.records = crate, records
        self.tools: dict[str, Any] = {}
        self.steps: dict[str, Any] = {}

    def describe(
        self,
        *,
        source: Path,
        workflow: str,
        parts: Sequence[str],
        others: Sequence[str],
        command: str | None,
    ) -> None:
        """Add everything.

        Parameters
        ----------
        source : Path
            Folder with the files of the crate.
        workflow : str
            Path of the workflow in it.
        parts, others : sequence of str
            Paths of the other files of the workflow, and of all other files.
        command : str or None
            The command that made the results.
        """
        self._describe_root()
        found = {name: self._file(source, name) for name in (*parts, *others)}
        main = self._workflow(source, workflow)
        data = {name: self._data(name) for name in sorted({r.run.dataset for r in self.records})}
        machines = self._machines()
        found["README.md"]["about"] = self.crate.root_dataset
        outputs = [found[name] for name in OUTPUTS]
        actions = [
            self._action(record, data[record.run.dataset], machines, outputs)
            for record in self.records
        ]
        results = [one for name, one in found.items() if Path(name).suffix in RESULTS]
        whole = self._execution(main, found[CONFIG], data.values(), [*outputs, *results], command)
        organized = self._organization(whole, actions)
        self.crate.root_dataset["mentions"] = [whole, *actions, organized]

    def _entity(self, place: str, kind: str, /, **properties: Any) -> Any:
        from rocrate.model.contextentity import ContextEntity

        values = {name: value for name, value in properties.items() if value is not None}
        made = ContextEntity(self.crate, place, properties={"@type": kind, **values})
        return self.crate.add(made)

    def _workflow(self, source: Path, workflow: str) -> Any:
        """The workflow, with a tool and a step for each method."""
        from rocrate.model.computationalworkflow import ComputationalWorkflow

        class HowTo(ComputationalWorkflow):
            """A workflow with steps."""

            TYPES = (*ComputationalWorkflow.TYPES, "HowTo")

        main = self.crate.add_workflow(
            source / workflow,
            workflow,
            main=True,
            lang="snakemake",
            cls=HowTo,
            properties={
                **_about(source / workflow),
                "name": "Benchmark of GMVAE",
                "version": self._version(),
            },
        )
        for name in sorted({record.run.class_path for record in self.records}):
            self._add_tool(name)
        main["hasPart"] = list(self.tools.values())
        main["step"] = list(self.steps.values())
        return main

    def _version(self) -> str:
        """Versions of the project that made the runs."""
        return ", ".join(sorted({record.program["version"] for record in self.records}))

    def _describe_root(self) -> None:
        metadata, root = self.crate.metadata, self.crate.root_dataset
        metadata.extra_contexts.append(TERMS)
        profiles = [
            self._entity(uri, "CreativeWork", name=name, version=uri.rpartition("/")[2])
            for uri, name in PROFILES.items()
        ]
        root["conformsTo"] = profiles
        last = max(record.finished for record in self.records)
        root["name"] = f"Deep generative clustering: results of {len(self.records)} runs"
        root["description"] = (
            "Runs of a benchmark of GMVAE (arXiv:1611.02648) and the methods that it is compared "
            "with: configuration, records, test assignments, tables and figures."
        )
        root["datePublished"] = last[:10]
        root["license"] = self._entity(
            LICENCE, "CreativeWork", name="MIT", description="The licence of the project"
        )
        authors = self._entity("#authors", "Organization", name=AUTHORS)
        root["author"] = root["publisher"] = authors

    def _file(self, source: Path, name: str) -> Any:
        properties = _about(source / name)
        suffix = Path(name).suffix
        if suffix in FORMATS:
            properties["encodingFormat"] = FORMATS[suffix]
        return self.crate.add_file(source / name, name, properties={"name": name, **properties})

    def _add_tool(self, class_path: str) -> None:
        """A method, with its parameters and the step of the workflow that runs it."""
        runs = [record.run for record in self.records if record.run.class_path == class_path]
        values = {name: value for run in runs for name, value in _values(run).items()}
        parameters = [
            self._entity(
                f"#{class_path}/{name}",
                "FormalParameter",
                additionalType=TYPES.get(type(value), "Text"),
                name=name,
            )
            for name, value in values.items()
        ]
        tool = self._entity(
            f"#{class_path}",
            "SoftwareApplication",
            name=class_path,
            softwareVersion=self._version() if is_own(class_path) else None,
            input=parameters,
        )
        step = self._entity(f"#step/{class_path}", "HowToStep", position=str(len(self.steps) + 1))
        step["workExample"] = tool
        self.tools[class_path], self.steps[class_path] = tool, step

    def _data(self, name: str) -> Any:
        """A data set, which is known by its checksums; the crate does not hold it."""
        [record, *_] = [one for one in self.records if one.run.dataset == name]
        sums = [
            self._entity(
                f"#data/{name}/{file}", "PropertyValue", name=f"SHA-256 of {file}", value=sha256
            )
            for file, sha256 in record.data_sha256.items()
        ]
        return self._entity(f"#data/{name}", "CreativeWork", name=name, identifier=sums)

    def _machines(self) -> dict[str, list[Any]]:
        """Processors, systems and libraries, as property values by machine."""
        found: dict[str, list[Any]] = {}
        for record in self.records:
            key = str((record.machine, record.libraries))
            if key not in found:
                values = {**record.machine, **record.libraries}
                place = f"#machine/{len(found) + 1}"
                found[key] = [
                    self._entity(f"{place}/{name}", "PropertyValue", name=name, value=str(value))
                    for name, value in values.items()
                    if value is not None
                ]
        return found

    def _action(
        self,
        record: Record,
        data: Any,
        machines: Mapping[str, list[Any]],
        outputs: Iterable[Any],
    ) -> Any:
        """A run: its tool, its values, and how it went."""
        run = record.run
        used = [
            self._entity(
                f"#{run.path}/{name}",
                "PropertyValue",
                name=name,
                value=str(getattr(record, name)),
                propertyID=property_id,
                unitCode=unit,
            )
            for name, property_id, unit in USED
        ]
        return self._entity(
            f"#{run.path}",
            "CreateAction",
            name=run.path,
            instrument=self.tools[run.class_path],
            startTime=record.started,
            endTime=record.finished,
            actionStatus=STATUS[record.status == "finished"],
            error=record.reason,
            agent={"@id": "#authors"},
            object=[data, *self._parameters(run)],
            result=list(outputs),
            environment=machines[str((record.machine, record.libraries))],
            resourceUsage=used,
            description=f"commit {record.program.get('git_commit')}, status {record.status}",
        )

    def _parameters(self, run: Run) -> list[Any]:
        """Values of a run; those of a setting are the same entities for all its seeds."""
        setting = run.path.rpartition("/")[0]
        values = []
        for name, value in _values(run).items():
            place = f"seed/{value}" if name == "seed" else f"{setting}/{name}"
            known = self.crate.get(f"#value/{place}")
            example = {"@id": f"#{run.class_path}/{name}"}
            values.append(
                known
                or self._entity(
                    f"#value/{place}",
                    "PropertyValue",
                    name=name,
                    value=str(value),
                    exampleOfWork=example,
                )
            )
        return values

    def _execution(
        self, main: Any, config: Any, data: Iterable[Any], results: list[Any], command: str | None
    ) -> Any:
        return self._entity(
            "#execution",
            "CreateAction",
            name="Execution of the workflow",
            instrument=main,
            startTime=min(record.started for record in self.records),
            endTime=max(record.finished for record in self.records),
            actionStatus=STATUS[True],
            agent={"@id": "#authors"},
            object=[config, *data],
            result=results,
            description=command,
        )

    def _organization(self, whole: Any, actions: Sequence[Any]) -> Any:
        """Snakemake, which ran the steps."""
        engine = self._entity(
            "#snakemake",
            "SoftwareApplication",
            name="Snakemake",
            url="https://snakemake.github.io",
        )
        controls = [
            self._entity(
                f"#control/{record.run.path}",
                "ControlAction",
                name=f"job of {record.run.path}",
                instrument=self.steps[record.run.class_path],
                object=action,
            )
            for record, action in zip(self.records, actions, strict=True)
        ]
        return self._entity(
            "#organization",
            "OrganizeAction",
            name="Run of Snakemake",
            agent={"@id": "#authors"},
            instrument=engine,
            startTime=whole["startTime"],
            endTime=whole["endTime"],
            object=controls,
            result=whole,
        )


def _about(path: Path) -> dict[str, str]:
    return {"contentSize": str(path.stat().st_size), "sha256": files.sha256(path)}


def _values(run: Run) -> dict[str, Any]:
    """All that tells a run from others of its method."""
    known = {"K": run.K, "M": run.M, "variant": run.variant, "seed": run.seed}
    named = {name: value for name, value in known.items() if value is not None}
    return {**named, **run.parameters}
