"""Implicit bias of gradient flow on reparametrized models: derive, compute, verify, show."""
