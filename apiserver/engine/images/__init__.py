"""Images: which there are, what they are called, how they come in and how they go."""
