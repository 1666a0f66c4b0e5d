"""What maintainers run: checks of packages, the floor on kelly-core, releases."""
