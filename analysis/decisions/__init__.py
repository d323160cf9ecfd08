"""From numbers to a reading in words and one verdict: pure rules, no database, no clock."""
