"""What a run is told: schedule, cost, plan, and the headers of stored weights."""
