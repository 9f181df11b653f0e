"""A keeper kept busy over real HTTP for a long time: what grows, shows (`make soak`)."""
