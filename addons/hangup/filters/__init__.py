"""Floor 2: interventions in traffic, each of which is a hypothesis about what ends a connection."""
