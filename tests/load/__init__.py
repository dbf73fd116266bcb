"""The running service under attack: bounded in number and time, on the loopback only."""
