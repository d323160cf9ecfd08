"""The same messages as JSON: to Slack, to Microsoft Teams, or signed to any address."""
