"""orchestrator.api.routes"""
