"""Prints what is installed beside this Python, as JSON: for scanners, lawyers and bills of materials."""  # noqa: INP001  # a step of the image, no package

import json
import re
import sys
from importlib.metadata import Distribution, distributions


def described(package: Distribution) -> dict[str, str]:
    """Name, version, package URL and licence; the licence as far as the package says."""
    name = re.sub(r"[-_.]+", "-", package.metadata["Name"]).lower()
    told = [*package.metadata.get_all("License-Expression", []), *package.metadata.get_all("License", []), ""]
    stated = next(filter(None, told), "")
    classifiers = [each for each in package.metadata.get_all("Classifier", []) if each.startswith("License ::")]
    licence = stated.strip().splitlines()[0] if stated.strip() else "; ".join(classifiers)
    version = package.version
    return {"name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}", "license": licence}


if __name__ == "__main__":
    found = {each.metadata["Name"]: described(each) for each in distributions()}
    json.dump([found[name] for name in sorted(found, key=str.lower)], sys.stdout, indent=1)
    sys.stdout.write("\n")
