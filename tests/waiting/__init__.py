"""The promises' suite with functions that wait in place of plain ones."""
