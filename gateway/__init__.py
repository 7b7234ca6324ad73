"""What people and programs see of the desk: the page, the API, the metrics; all through core.ports.DeskClient."""
