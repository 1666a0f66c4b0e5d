"""What models of sound share: settings, log-mels of a dataset, windows, and the front end of exported files.

Light: each part is imported from its own module, and those that need torch say so in their first line.
"""
