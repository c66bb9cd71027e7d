"""orchestrator.api.wire"""
