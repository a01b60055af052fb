"""What a desk does, over ports: recover, observe, decide, send, reconcile, check, stop.

Works and is tested without Prefect. Each function is one step that a flow calls through a task.
"""
