"""orchestrator.api.lenses"""
