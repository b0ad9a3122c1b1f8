"""What is looked at anew from time to time: that what was written still stands, and what was decided still fits."""
