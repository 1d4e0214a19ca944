"""What follows from what users and callers do: notifications, and what is stored for others meanwhile.

One module per topic, used by the REST handlers (`api/`) and by the commands (`commands/`), so that the same follows
whoever acts. The state itself is in `account/`.
"""
