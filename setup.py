"""Maps the top-level folders to the `roadworthy` namespace: `models/` installs as `roadworthy.models`."""

from setuptools import find_packages, setup

FOLDERS = ("pipeline", "components", "models", "serving")

setup(
    package_dir={f"roadworthy.{folder}": folder for folder in FOLDERS},
    packages=[
        package
        for folder in FOLDERS
        for package in (f"roadworthy.{folder}", *(f"roadworthy.{folder}.{sub}" for sub in find_packages(folder)))
    ],
)
