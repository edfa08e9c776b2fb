"""The pages of the documentation in which Python itself runs, in Chromium: run by `make test-more`."""
