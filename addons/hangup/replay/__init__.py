"""Floor 5: a recording played again, as the client to a real server or as the server to a real client."""
