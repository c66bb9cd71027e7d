"""One file per noun: what the command line says, turned into calls and shown."""
