"""The HTTP front: SPARQL protocol, REST answers and a few pages. Holds no logic of the graph, only of HTTP."""
