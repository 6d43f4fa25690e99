"""What it costs to use us, beside what it costs to use others: same machine, same run, same tool."""
