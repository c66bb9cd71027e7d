"""An animation, rendered frame by frame on a farm and put together by a task that depends on all frames."""
