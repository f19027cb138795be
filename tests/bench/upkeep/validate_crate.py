"""Validate a crate without a network: ``python validate_crate.py CRATE CONTEXT``.

Runs beside roc-validator, in an environment of its own. CONTEXT is the JSON-LD context that comes
with the package rocrate; it is of a later version than ours, which gave one term another address.
"""

import json
import sys
from pathlib import Path

from rdflib.plugins.shared.jsonld import context, util

CRATE = "https://w3id.org/ro/crate/1.1/context"
TERMS = "https://w3id.org/ro/terms/workflow-run"
OWN_TERMS = ("sha256", "environment", "resourceUsage")
PROFILE = "provenance-run-crate-0.5"
NEED_NETWORK = ("ro-crate-1.1_3.1", "ro-crate-1.1_3.2")
"""Checks that ask for the contexts themselves."""


def main():
    crate, path = sys.argv[1:]
    terms = json.loads(Path(path).read_text(encoding="utf-8"))["@context"]
    terms["ComputationalWorkflow"] = "https://bioschemas.org/ComputationalWorkflow"
    known = {
        CRATE: {"@context": terms},
        f"{TERMS}/context": {"@context": {name: f"{TERMS}#{name}" for name in OWN_TERMS}},
    }
    read = util.source_to_json

    def read_local(source, *arguments, **options):
        found = known.get(source) if isinstance(source, str) else None
        return (found, None) if found else read(source, *arguments, **options)

    context.source_to_json = util.source_to_json = read_local
    from rocrate_validator import models, services  # which keeps the function that it finds

    settings = services.ValidationSettings(
        rocrate_uri=crate,
        profile_identifier=PROFILE,
        requirement_severity=models.Severity.REQUIRED,
        skip_availability_check=True,
    )
    issues = services.validate(settings).get_issues()
    found = {f"{one.check.identifier}: {one.message}" for one in issues}
    print("\n".join(sorted(one for one in found if not one.startswith(NEED_NETWORK))))


if __name__ == "__main__":
    main()
