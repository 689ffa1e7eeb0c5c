"""Published data sets: their original files, downloaded, verified, read and converted."""
