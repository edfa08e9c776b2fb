"""What a person does to a running job: pause, step, look, edit, breakpoints, and putting packets in."""
