"""Models of scikit-learn that a network is compared with. May import dataset."""
