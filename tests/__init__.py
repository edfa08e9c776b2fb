"""The promises of the runtime, each as a test, and the program that plants bugs to see whether they notice."""
