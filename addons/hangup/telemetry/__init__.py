"""Floor 5: what a running proxy tells programs that watch it: metrics to be scraped or sent, a span per connection,
whether it is well."""
