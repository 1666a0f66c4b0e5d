"""Training: one short loop on Fabric, with exact resume."""
