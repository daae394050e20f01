"""Exits with 0 while the server in this container is ready for requests; python.org's image has no curl."""

import sys
from urllib.error import URLError
from urllib.request import urlopen

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8501/readyz"

try:
    with urlopen(URL, timeout=3):  # noqa: S310 an address of this container
        pass
except (URLError, TimeoutError) as error:
    sys.exit(f"{URL}: {error}")
