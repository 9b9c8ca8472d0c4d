"""Very many recordings: how they are made, and what is measured of `hangup query` and `hangup why` over them."""
