"""``earmark calibrate``, ``threshold`` and ``review``: confidences held to labels."""
