"""How many workers each lane should have, and a simulator in which that can be tried."""
