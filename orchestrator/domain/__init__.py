"""orchestrator.domain"""
