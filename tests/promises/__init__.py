"""The promises of design.md, one file each: a promise that is broken turns a test of its file red."""
