"""Networks that containers are on, and the addresses they have there."""
