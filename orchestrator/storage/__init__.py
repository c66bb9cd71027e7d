"""orchestrator.storage"""
