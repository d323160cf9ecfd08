"""What is wrong right now and wants a person: raised by whoever finds it, kept open until it is over."""
