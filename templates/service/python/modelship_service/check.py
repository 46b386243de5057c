"""`python -m modelship_service.check`: import the model, without loading it, and print what it takes and gives."""

import os
import sys

sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]

import json  # noqa: E402
from pathlib import Path  # noqa: E402

from modelship_service.model.user_model import ModelFailed, UserModel  # noqa: E402
from modelship_service.run import EXIT_MODEL, EXIT_SETTINGS  # noqa: E402
from modelship_service.schema.card import card  # noqa: E402
from modelship_service.settings import Settings, SettingsError  # noqa: E402


def main() -> int:
    try:
        settings = Settings.from_env(os.environ)
        models = {api: UserModel(entry, Path.cwd(), settings.max_rows) for api, entry in settings.entry.items()}
    except SettingsError as problem:
        print(problem, file=sys.stderr)
        return EXIT_SETTINGS
    except ModelFailed as failed:
        print(failed.shown, file=sys.stderr)
        return EXIT_MODEL
    for api, model in models.items():
        print(json.dumps(card(settings, api, model.schema, model.methods), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
