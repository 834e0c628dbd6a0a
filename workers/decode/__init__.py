"""Decoding of hostile audio: ``sandbox.py`` holds the pool a worker calls, the rest runs in its children.

::

    worker: DecoderPool ──order + 2 descriptors──► child: decoder ─► track ─► levels, loudness, true peak
              ▲   └─ wall limit, kill                │                  └──► clip writer ─► 16 kHz mono file
              └──────────── facts, as JSON ──────────┘  jail: no network, no files, rlimits, dies with its parent
"""
