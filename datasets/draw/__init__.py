"""The drawn pictures of the sample; each is a function of nothing but its arguments."""
