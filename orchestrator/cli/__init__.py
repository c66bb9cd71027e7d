"""orchestrator.cli"""
