"""What people see of a run: console, pictures, TensorBoard, metrics."""
