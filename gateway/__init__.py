"""What people and programs see of the desk: the page, the API, the metrics. Talks to the desk through core.ports.DeskClient."""
