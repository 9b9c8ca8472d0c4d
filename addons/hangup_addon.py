"""The entry for stock programs: ``mitmdump -s "$(hangup addon)"``."""

from hangup.proxy.addon import Hangup

addons = [Hangup()]
