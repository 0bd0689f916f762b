"""Nothing leaves the machine, and nothing paints over the app: libraries' telemetry, downloads and progress
bars are off before any of them loads. `persona.models.fetch` alone, in its own process, goes online.
"""

import os

_TELEMETRY_OFF = {
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OTEL_SDK_DISABLED": "true",
}
_BARS_OFF = {"HF_HUB_DISABLE_PROGRESS_BARS": "1"}
_DOWNLOADS_OFF = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


def stay_on_this_machine() -> None:
    """Switch off telemetry and bars whatever the environment says, and downloads unless it allows them.

    Must run before chromadb, transformers or huggingface_hub are imported: they read these
    variables once.
    """
    os.environ.update(_TELEMETRY_OFF | _BARS_OFF)
    for name, value in _DOWNLOADS_OFF.items():
        os.environ.setdefault(name, value)
