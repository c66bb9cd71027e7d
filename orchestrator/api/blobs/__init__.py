"""The Blob service on the wire: requests read, answers written. Knows no store."""
