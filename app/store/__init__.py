"""The graph behind one port: `port.GraphStore`, with adapters for an embedded engine and for tests."""
