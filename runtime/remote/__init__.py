"""What tasks and services in other processes are made of: values that travel, mail, remote lanes and calls."""
