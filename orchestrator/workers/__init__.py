"""orchestrator.workers"""
