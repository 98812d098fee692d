"""The chaos campaign: what can fail is made to fail, on real servers, and the alerts are compared with a crash-free run."""
