"""Core ML: ML programs (`.mlpackage`, macOS 13 on) in fp32 and fp16, and neural networks (`.mlmodel`).

An ML program may keep its state itself (macOS 15 on), else state goes in and comes out.

Conversion works on Linux and macOS, prediction on macOS alone. Elsewhere the converted file is inspected:
its interface, its labels, every weight against the trained module's, and, for ML programs, what their
operations give when they are computed one by one with torch. That is not Core ML; a report says "not run here".
"""
