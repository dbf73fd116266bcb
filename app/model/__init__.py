"""Pure values of the domain: terms, claims, observations, changes, architectures. No I/O."""
