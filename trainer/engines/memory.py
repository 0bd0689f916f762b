"""How much memory this process has used at most."""

import sys


def peak_mb() -> float:
    """The GPU's where one is used, else this process's, in MB; 0 where the system does not say."""
    import torch

    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 1e6, 1)
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(used / 1e6 if sys.platform == "darwin" else used / 1e3, 1)
