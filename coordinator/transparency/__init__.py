"""What the public reads: the register of projects, the log of uses, the promise in numbers. It changes nothing."""
