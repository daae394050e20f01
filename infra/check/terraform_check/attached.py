"""Runs a command in which Terraform finds the provider's schema, and no cloud: for tests of plans and of state.

python -m terraform_check.attached infra terraform -chdir=infra/envs/dev plan
"""

import os
import subprocess
import sys
from pathlib import Path

from terraform_check.source import source


def main() -> int:
    """The command's own exit code; what the folder's Terraform files use is what the provider knows."""
    folder, *command = sys.argv[1:]
    os.environ["ROADWORTHY_PROVIDER"] = "local"
    with source(Path(folder), Path(".cache/terraform").resolve()) as provider:
        return subprocess.run(command, env=os.environ | provider.after, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
