"""A package, because tests/browser has a test_digits.py too."""
