"""The same questions to several servers, their answers made comparable, and what differs between them."""
