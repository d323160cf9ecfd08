"""Every message before it leaves, by e-mail or webhook: stored first, sent once, tried again, explained."""
