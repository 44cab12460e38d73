"""Classification with homogeneous networks: steepest descent, margins, stationarity."""
