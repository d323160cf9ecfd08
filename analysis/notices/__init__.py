"""What happened, who hears of it, and when: from an occurrence to one message that gathers what belongs together."""
