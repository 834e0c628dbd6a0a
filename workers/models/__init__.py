"""The models, one file or folder each; only here may an inference library be imported."""
