"""One revision as columns, so that comparisons need no graph engine. Built from the graph, never the other way."""
