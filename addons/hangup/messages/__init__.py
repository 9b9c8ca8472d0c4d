"""What messages are made of and what kind each is: envelopes of known protocols, discriminators, heartbeats."""
