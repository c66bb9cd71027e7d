"""orchestrator.api"""
