"""Floor 6: recordings for a language model, over the Model Context Protocol: what ``hangup mcp`` serves on stdio.

It never trusts what was recorded: a payload may talk to the model that reads it. So whatever a recording says stands in
its answer as data, between marks that it cannot know (:mod:`.answers`), and without its secrets (:mod:`.library`).
"""
