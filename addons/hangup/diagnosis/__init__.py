"""Floor 3: what a recording speaks for, as ranked findings with their evidence. It knows no filter, no experiment."""
