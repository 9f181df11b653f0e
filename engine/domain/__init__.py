"""The nouns the whole engine shares: frozen values and arithmetic, standard library only."""
