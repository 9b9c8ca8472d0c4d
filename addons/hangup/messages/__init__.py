"""Floor 0: what a message of an application is: its kind, by protocol or learned; its form; heartbeats."""
