"""Datasets: records of structures and labels, their store, and what is made of them."""
