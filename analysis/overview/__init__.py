"""All experiments of a project at a glance: what needs whom today, lists, and what they amount to together."""
