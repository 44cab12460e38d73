"""Models whose predictor is a matrix: linear networks and the completion of matrices."""
