"""`mqctl bench`: worker processes that publish and subscribe, and the conductor that leads them and adds up."""
