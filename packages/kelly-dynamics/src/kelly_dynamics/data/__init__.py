"""Reading scores and aligned performances."""
