"""Engines behind one contract.

Importing this package settles how long an engine's threads spin while they wait for each other: OpenMP
reads that once, when llama.cpp or PyTorch loads it. GNU's spin a hundred times as long by default, and where
another program takes a core that they wait for, a reply of one second takes ten; asleep at once, they write
a third slower (docs/LOG.md).
"""

import os

if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
