"""What several pages share of widgets: choices that stand in the address, figures and tables with their downloads."""
