"""Floor 5: hangup inside mitmproxy. Nothing else imports mitmproxy."""
