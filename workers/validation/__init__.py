"""What ``earmark validate`` measures of a model before it goes live, and how the figures are judged."""
