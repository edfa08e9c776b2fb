"""The pages of the documentation in which Python itself runs, in Chromium and Firefox: run by `make test-more`."""
