"""pytest plugin: fixtures for projects that test against mqctl."""
