"""`python -m modelship_service`: serve the project in the working directory."""

import os
import sys

# `-m` puts the working directory first: there, a user's `json.py` would hide the library's from us.
sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]

from modelship_service.run import main  # noqa: E402

main()
