"""What is known of Python itself: functions, sizes, interpreters, installers. Nothing of dataflow."""
