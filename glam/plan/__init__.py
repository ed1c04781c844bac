"""What a run would cost that has not happened: memory, time, energy and emissions, by arithmetic (docs/plan.md)."""
