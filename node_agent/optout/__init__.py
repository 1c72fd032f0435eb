"""People's choices: the national data opt-out as an allow-list, Type 1 opt-outs and local ones as dissent lists.

Numbers and keys are here and nowhere else: sealed in one file, sent to NHS England's service and to nobody, and never
in a log, an error, a metric or a reply of a command.
"""
