"""The Open Research Knowledge Graph (ORKG): its API as typed values, what to take from it and what to bring there."""
