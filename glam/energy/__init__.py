"""Energy: meters read hardware, the account does arithmetic."""
