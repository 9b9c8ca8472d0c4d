"""Server stacks that play a script, each with its own idioms; :func:`lab.stacks.process.main` runs one."""
