"""What the measurements share: a farm, a client, CPU accounting, peers, a floor."""
