"""What users never run: training, measuring, rivals, figures, the demo. Nothing imports it."""
