"""The main job from end to end: configure, load, train, evaluate, export, register, describe."""
