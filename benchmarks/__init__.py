"""Side-by-side measurements. Each module prints a Markdown table of ratios between two things run in turn."""
