"""The same server, a tool that adds, as each of those who are compared would have it written."""
