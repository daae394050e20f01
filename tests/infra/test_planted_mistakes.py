"""One mistake of each kind in a real module: every one must fail infra-check, and the module as it is must not."""

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BUCKET = 'resource "google_storage_bucket" "this" {'
MISTAKES = {
    "misspelt attribute": (
        "main.tf",
        "uniform_bucket_level_access =",
        "uniform_bucket_level_acess =",
        "Unsupported argument",
    ),
    "misspelt nested block": ("main.tf", "versioning {", "versionning {", "Unsupported block type"),
    "missing required attribute": (
        "main.tf",
        "  location                    = var.location\n",
        "",
        "Missing required argument",
    ),
    "missing required block": (
        "main.tf",
        '  lifecycle_rule {\n    action {\n      type = "Delete"\n    }\n',
        "  lifecycle_rule {\n",
        "Insufficient action blocks",
    ),
    "wrong type": (
        "main.tf",
        "uniform_bucket_level_access = true",
        'uniform_bucket_level_access = "always"',
        "Incorrect attribute value type",
    ),
    "unknown resource": ("main.tf", BUCKET, BUCKET.replace('bucket"', 'bukket"'), "Invalid resource type"),
    "too many blocks": (
        "main.tf",
        "  versioning {",
        "  versioning {\n    enabled = false\n  }\n\n  versioning {",
        "Too many versioning blocks",
    ),
    "output of what is not there": ("outputs.tf", "bucket.name", "bucket.addres", "Unsupported attribute"),
    "block written as attribute": ("main.tf", "  encryption {", "  encryption = {", "Unsupported argument"),
    "undeclared variable": ("main.tf", "var.kms_key", "var.kms", "Reference to undeclared input variable"),
    "provider out of bounds": ("versions.tf", '"~> 8.0"', '"~> 9.0"', "no available releases match"),
    "bad format": ("main.tf", "  project                     =", "  project =", "terraform fmt -recursive"),
    "public bucket": ("main.tf", '= "enforced"', '= "inherited"', "Public access must be prevented"),
    "rule that lets everything through": (
        "variables.tf",
        '!startswith(member, "all")',
        "true",
        "Missing expected failure",
    ),
}


def test_the_module_as_it_is_passes(storage_module, check_terraform):
    said, code = check_terraform(storage_module)

    assert (code, "0 with faults" in said) == (0, True), said


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_fails_the_check(kind, storage_module, check_terraform):
    name, right, wrong, expected = MISTAKES[kind]
    file = storage_module / name
    text = file.read_text()
    assert right in text
    file.write_text(text.replace(right, wrong, 1))

    said, code = check_terraform(storage_module)

    assert code == 1
    assert expected in " ".join(said.split()), said


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        (
            "  region      = var.region\n  name        =",
            "  regoin      = var.region\n  name        =",
            "Unsupported argument",
        ),
        ("  provider = google-beta\n\n", "", "Invalid resource type"),
    ],
    ids=["misspelt attribute", "asked of the other provider"],
)
def test_a_mistake_in_what_google_beta_alone_has_fails(right, wrong, expected, tmp_path, check_terraform):
    shutil.copytree(ROOT / "infra/modules/vertex", tmp_path / "vertex")
    file = tmp_path / "vertex/main.tf"
    text = file.read_text()
    assert right in text
    file.write_text(text.replace(right, wrong, 1))

    said, code = check_terraform(tmp_path / "vertex")

    assert code == 1
    assert expected in " ".join(said.split()), said


def test_a_module_without_a_test_fails(storage_module, check_terraform):
    (storage_module / "tests/storage.tftest.hcl").unlink()

    said, code = check_terraform(storage_module)

    assert (code, "every root must have a tests/*.tftest.hcl" in said) == (1, True)


def test_without_terraform_there_is_one_message(storage_module, tmp_path, monkeypatch, check_terraform):
    for program in ("bash", "dirname"):
        (tmp_path / program).symlink_to(shutil.which(program))
    monkeypatch.setenv("PATH", str(tmp_path))

    said, code = check_terraform(storage_module)

    assert (code, "Terraform 1.11 or newer must be on PATH. Received: none." in said) == (2, True)


def test_a_folder_without_modules_is_the_users_fault(tmp_path, check_terraform):
    said, code = check_terraform(tmp_path)

    assert (code, "must hold a folder with a versions.tf" in said) == (2, True)
