"""The keyspace `shop` of the demo and of `cassmirror load`: its tables, and a workload for them."""
