"""What tasks and services in other processes are made of: values that travel, mail, far lanes, calls, the cluster."""
