"""Floor 0: what a message of an application is: its kind, its form, and whether it is a heartbeat."""
